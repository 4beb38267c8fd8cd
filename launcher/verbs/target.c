/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "launch.h"

void target_report(struct launch_run *run, json_t *row)
{
    json_array_append_new(launch_report_array(run->report, "instances"), row);
}

static int run_verb(struct target_args *args, const struct vmcp_list *wanted, bool write,
                    target_act act, struct launch_report *report, struct vmcp_error *err)
{
    auto_run struct launch_run run = LAUNCH_RUN(&args->settings, report);
    auto_targets struct launch_targets targets = {0};
    struct launch_search search = {
        .wanted = wanted, .forced = &args->forced, .write = write && !args->settings.dry_run};
    if (wanted->count && args->forced.count)
        return vmcp_fail(err, VMCP_E_USAGE, "names and --force exclude each other");
    int rc = launch_run_begin(&run, err);
    if (rc == 0)
        rc = launch_settings_resolve(&args->settings, &run.metadata, true, err);
    if (rc == 0)
        rc = launch_targets_find(&run, &search, &targets, err);
    launch_report_array(report, "instances");
    return rc < 0 ? rc : act(&run, args, &targets, err);
}

int target_main(const struct vmcp_command *command, const char *verb, bool write, target_act act,
                int argc, char **argv)
{
    struct target_args args = TARGET_ARGS;
    auto_report struct launch_report report = LAUNCH_REPORT(verb, launch_wants_json(argc, argv));
    struct vmcp_list wanted = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(command, argc, argv, &args, &wanted, &help, &err);
    if (rc == 0 && help)
        return launch_help(command);
    if (args.settings.dry_run)
        launch_report_set(&report, "dryRun", json_true());
    if (rc == 0)
        rc = run_verb(&args, &wanted, write, act, &report, &err);
    launch_settings_clear(&args.settings);
    return launch_report_end(&report, rc, &err);
}
