/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `state`: what earlier runs remembered. */
#include "state/state.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "launch.h"
#include "lib/name.h"
#include "report.h"
#include "state/folder.h"
#include "state/inventory.h"

struct args {
    const char *state_dir;
    bool force, dry_run, json;
};

static const struct vmcp_option options[] = {
    {"state-dir", "DIR", VMCP_OPT_STRING, offsetof(struct args, state_dir), 0, 0,
     "where the state is"},
    {"force", NULL, VMCP_OPT_FLAG, offsetof(struct args, force), 0, 0,
     "reset: though inserts are not settled"},
    {"dry-run", NULL, VMCP_OPT_FLAG, offsetof(struct args, dry_run), 0, 0,
     "reset: remove nothing, say what would be"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print one JSON object on stdout"},
    {0},
};

const struct vmcp_command launch_state_command = {
    .name = "vmcp-launch state",
    .operands = "show [DOMAIN [MACHINE]] | reset DOMAIN MACHINE",
    .summary = "show or reset what earlier runs remembered",
    .options = options,
    .min_operands = 1,
    .max_operands = 3,
    .details = "`show` lists, by domain and machine, the highest serial that was seen, the VMs "
               "that were\nmade, and the inserts whose outcome is not known. `reset` forgets one "
               "machine: its serial\nfloor is then --min-serial alone, and its VMs are no longer "
               "known by their ids. The local\nid stays.\n",
    .example = "  vmcp-launch state show\n"
               "  vmcp-launch state reset cfg.example.org web\n",
};

static void print_machine(const json_t *row)
{
    const json_t *vms = json_object_get(row, "vms"), *intents = json_object_get(row, "intents");
    const char *damaged = json_string_value(json_object_get(row, "damaged"));
    printf("%s of %s: ", json_string_value(json_object_get(row, "machine")),
           json_string_value(json_object_get(row, "domain")));
    if (damaged) {
        puts("damaged");
        return;
    }
    long long serial = json_integer_value(json_object_get(row, "serial"));
    if (serial < 0)
        puts("no answer yet");
    else
        printf("serial %lld\n", serial);
    for (size_t i = 0; i < json_array_size(vms); i++) {
        const json_t *vm = json_array_get(vms, i);
        printf("  VM %s, id %s, in %s of %s\n", json_string_value(json_object_get(vm, "name")),
               json_string_value(json_object_get(vm, "id")),
               json_string_value(json_object_get(vm, "zone")),
               json_string_value(json_object_get(vm, "project")));
    }
    for (size_t i = 0; i < json_array_size(intents); i++) {
        const json_t *intent = json_array_get(intents, i);
        printf("  not settled: the insert of %s in %s of %s\n",
               json_string_value(json_object_get(intent, "name")),
               json_string_value(json_object_get(intent, "zone")),
               json_string_value(json_object_get(intent, "project")));
    }
}

static int show(const struct args *a, const char *dir, const char *domain, const char *machine,
                struct launch_report *report, struct vmcp_error *err)
{
    json_auto_t *rows = NULL;
    struct vmcp_error damaged = {0};
    int rc = launch_inventory(dir, domain, machine, &rows, &damaged, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; !a->json && i < json_array_size(rows); i++)
        print_machine(json_array_get(rows, i));
    if (!a->json && !json_array_size(rows))
        launch_say(report, "nothing is remembered in %s", dir);
    launch_report_set(report, "machines", json_incref(rows));
    if (damaged.code == VMCP_OK)
        return 0;
    *err = damaged;
    return -(int)damaged.code;
}

static int reset(const struct args *a, const char *dir, const char *domain, const char *machine,
                 struct launch_report *report, struct vmcp_error *err)
{
    bool known = false;
    int rc = launch_inventory_forget(dir, domain, machine, a->force, a->dry_run, &known, err);
    if (rc < 0)
        return rc;
    launch_say(report, "%s of %s %s", machine, domain,
               !known       ? "was not known"
               : a->dry_run ? "would be forgotten"
                            : "is forgotten");
    launch_report_set(report, "known", json_boolean(known));
    return 0;
}

static int run_verb(const struct args *a, const struct vmcp_list *operands,
                    struct launch_report *report, struct vmcp_error *err)
{
    auto_free char *dir = NULL;
    const char *what = operands->items[0];
    const char *domain = operands->count > 1 ? operands->items[1] : NULL;
    const char *machine = operands->count > 2 ? operands->items[2] : NULL;
    bool is_reset = strcmp(what, "reset") == 0;
    int rc = domain ? vmcp_domain_check(domain, strlen(domain), err) : 0;
    if (rc == 0 && machine)
        rc = vmcp_machine_name_check(machine, strlen(machine), err);
    if (rc < 0)
        return rc;
    if (!is_reset && strcmp(what, "show") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "`%.64s`: show or reset is wanted", what);
    if (is_reset && !machine)
        return vmcp_fail(err, VMCP_E_USAGE, "reset forgets one machine: name DOMAIN and MACHINE");
    rc = launch_state_dir(a->state_dir, &dir, err);
    if (rc < 0)
        return rc;
    launch_report_set(report, "stateDir", json_string(dir));
    return is_reset ? reset(a, dir, domain, machine, report, err)
                    : show(a, dir, domain, machine, report, err);
}

int launch_state_main(int argc, char **argv)
{
    struct args a = {0};
    auto_report struct launch_report report = LAUNCH_REPORT("state", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_state_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_state_command);
    if (a.dry_run)
        launch_report_set(&report, "dryRun", json_true());
    if (rc == 0)
        rc = run_verb(&a, &operands, &report, &err);
    return launch_report_end(&report, rc, &err);
}
