/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <stdio.h>
#include <string.h>

#include "act.h"
#include "batch.h"
#include "cloud/instance.h"
#include "lib/options.h"
#include "plan/encryption.h"
#include "plan/plan.h"
#include "plan/policy.h"
#include "run.h"

static const char details[] =
    "Asks the responder with a fresh salt, verifies the answer, plans an instance from it, "
    "inserts\n"
    "it (or resumes the one that the same session made) and waits until it runs.\n"
    "\n"
    "What no flag says comes from the environment (VMCP_ENDPOINT, VMCP_MACHINE, VMCP_TRUST,\n"
    "VMCP_DOMAIN, VMCP_FORMAT, GOOGLE_CLOUD_PROJECT, CLOUDSDK_COMPUTE_ZONE,\n"
    "GOOGLE_APPLICATION_CREDENTIALS, CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE), then, on Compute\n"
    "Engine or with GCE_METADATA_HOST, from the VM's own attributes (vmcp-endpoint, vmcp-machine,\n"
    "vmcp-trust, vmcp-domain, vmcp-allow-http, vmcp-min-serial, vmcp-allow-…,\n"
    "service-credentials). Exit codes: 0 done, 1 refused, 2 usage, 3 local input, 4 network or\n"
    "responder, 5 credentials, 6 the Compute API refused, 7 the operation failed, 8 timed out.\n";

static const char example[] =
    "  vmcp-launch --endpoint https://cfg.example.org --machine flask-app \\\n"
    "      --trust cfg.example.org.pub --project web-1234 --zone us-central1-a --wait-api\n";

const struct vmcp_command launch_launch_command = {
    .name = "vmcp-launch launch",
    .operands = "",
    .summary = "make the VM that a signed machine describes",
    .options = launch_settings_options,
    .details = details,
    .example = example,
};

const struct vmcp_command launch_plan_command = {
    .name = "vmcp-launch plan",
    .operands = "",
    .summary = "show what `launch` would send, and what would become of it",
    .options = launch_settings_options,
    .details =
        "Prints the insert body on stdout and where its parts come from on stderr. Sends no\n"
        "write and changes no state but for the local id, which is made once. The answer is\n"
        "verified before credentials are looked for. With --offline none are needed: the Compute\n"
        "API is not asked which image a family means, nor what is there.\n",
    .example = "  vmcp-launch plan --offline --endpoint https://cfg.example.org --machine web \\\n"
               "      --trust cfg.example.org.pub --project web-1234 --zone us-central1-a\n",
};

/* One VM of the report. */
static json_t *describe(const struct launch_run *run, const struct launch_job *job)
{
    if (!job->plan.name[0])
        return NULL;
    json_t *row = json_pack("{s:s, s:s, s:s}", "name", job->plan.name, "project",
                            run->compute.project, "zone", job->zone);
    if (job->outcome)
        json_object_set_new(row, run->settings->dry_run ? "would" : "outcome",
                            json_string(job->outcome));
    if (!job->instance)
        return row;
    json_object_set_new(row, "id", json_string(launch_instance_id(job->instance)));
    json_object_set_new(row, "status", json_string(launch_instance_status(job->instance)));
    json_object_set_new(row, "internalIp", json_string(launch_instance_internal_ip(job->instance)));
    if (job->guest[0])
        json_object_set_new(row, "guest", json_string(job->guest));
    const char *external = launch_instance_external_ip(job->instance);
    if (*external)
        json_object_set_new(row, "externalIp", json_string(external));
    return row;
}

static void tell_warnings(struct launch_run *run, const struct launch_plan *plan)
{
    for (size_t i = 0; i < json_array_size(plan->warnings); i++)
        launch_warn(run->report, "%s", json_string_value(json_array_get(plan->warnings, i)));
}

/* What would be sent, on stdout or in the object, and where each part comes from. */
static void show(struct launch_run *run, const struct launch_job *job)
{
    json_auto_t *body = launch_without_keys(job->plan.body);
    launch_plan_print(&job->plan);
    if (run->settings->json) {
        json_array_append(launch_report_array(run->report, "bodies"), body);
        json_array_append(launch_report_array(run->report, "origins"), job->plan.origins);
        return;
    }
    launch_print_json(body, JSON_INDENT(2));
}

/* What would become of it against what is there. */
static int look(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    show(run, job);
    if (run->settings->offline) {
        snprintf(job->zone, sizeof(job->zone), "%s", job->plan.zone);
        job->outcome = "unknown";
        return 0;
    }
    int rc = launch_job_look(run, job, err);
    if (rc < 0)
        job->outcome = "refuse";
    launch_say(run->report, "%s in %s: would %s", job->plan.name, job->zone,
               strcmp(job->outcome, "none") == 0 ? "do nothing, it runs" : job->outcome);
    return rc;
}

static int do_job(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    int rc = launch_job_plan(job, err);
    if (rc < 0)
        return rc;
    if (job->number <= 1)
        tell_warnings(run, &job->plan);
    if (run->settings->dry_run)
        return look(run, job, err);
    rc = launch_job_act(run, job, err);
    if (rc == 0)
        launch_say(run->report, "%s is %s in %s at %s (%s)", job->plan.name,
                   launch_instance_status(job->instance), job->zone,
                   launch_instance_internal_ip(job->instance), job->outcome);
    if (rc == 0)
        rc = launch_job_wait_api(run, job, err);
    return rc < 0 ? rc : launch_job_wait_guest(run, job, err);
}

/* The VM with the longest name is planned before anything is sent for the first. */
static int plan_last(const struct launch_subject *subject, int64_t count, struct vmcp_error *err)
{
    auto_job struct launch_job job = {.subject = subject, .number = count};
    return count > 1 ? launch_job_plan(&job, err) : 0;
}

static int do_jobs(struct launch_run *run, const struct launch_subject *subject, int64_t count,
                   struct vmcp_error *err)
{
    struct launch_batch batch = {
        .run = run,
        .subject = subject,
        .count = count,
        .parallel = run->settings->dry_run ? 1 : (int)run->settings->parallel,
        .each = do_job,
        .describe = describe,
    };
    int rc = plan_last(subject, count, err);
    return rc < 0 ? rc : launch_batch(&batch, err);
}

/* The boot image is looked up once for all VMs and zones. */
static int look_up_image(struct launch_run *run, struct launch_image *ret, struct vmcp_error *err)
{
    struct launch_image_ref ref;
    bool wanted = false;
    int rc = launch_plan_image(&run->answer, run->settings, &ref, &wanted, err);
    if (rc < 0 || !wanted)
        return rc;
    if (!run->settings->offline)
        return launch_image_resolve(&run->compute, &ref, ret, err);
    launch_image_take(&ref, ret);
    launch_warn(run->report,
                "offline: nobody was asked what image %s is, which decides on secure "
                "boot, vTPM and the least size of the disk, nor what is there already",
                ret->path);
    return 0;
}

static int launch_all(struct launch_run *run, struct vmcp_error *err)
{
    auto_free char *me = NULL;
    struct launch_image image = {0};
    int64_t count = run->settings->count ? run->settings->count : run->answer.count;
    int rc = launch_policy_count(count, run->settings, err);
    if (rc == 0)
        rc = look_up_image(run, &image, err);
    if (rc == 0)
        rc = launch_metadata_word(&run->metadata, "instance/name", &me, err);
    if (rc < 0)
        return rc;
    struct launch_subject subject = {
        .settings = run->settings,
        .answer = &run->answer,
        .domain = run->domain,
        .machine = run->machine,
        .made_by = me,
        .image = &image,
    };
    return do_jobs(run, &subject, count, err);
}

/* Who plans sees a good answer before credentials are looked for, and can do without them. */
static int plan_all(struct launch_run *run, struct vmcp_error *err)
{
    int rc = launch_run_place(run, err);
    if (rc == 0)
        rc = launch_run_ask(run, err);
    if (rc == 0 && !run->settings->offline)
        rc = launch_run_cloud(run, err);
    if (rc == 0)
        rc = launch_all(run, err);
    if (rc == -VMCP_E_CREDENTIALS)
        launch_advise(run->report,
                      "`vmcp-launch plan --offline` needs no credentials: it shows the "
                      "body without asking the Compute API anything");
    return rc;
}

static int run_verb(struct launch_settings *settings, struct launch_report *report,
                    struct vmcp_error *err)
{
    auto_run struct launch_run run = LAUNCH_RUN(settings, report);
    if (settings->offline && !settings->dry_run)
        return vmcp_fail(err, VMCP_E_USAGE, "--offline is for plan and --dry-run");
    int rc = launch_run_begin(&run, err);
    if (rc == 0)
        rc = launch_settings_resolve(settings, &run.metadata, true, err);
    if (rc == 0)
        rc = launch_run_set_up(&run, err);
    if (rc == 0 && settings->dry_run)
        return plan_all(&run, err);
    if (rc == 0)
        rc = launch_run_cloud(&run, err);
    if (rc == 0)
        rc = launch_run_ask(&run, err);
    return rc < 0 ? rc : launch_all(&run, err);
}

static int verb(const struct vmcp_command *command, const char *name, bool dry, int argc,
                char **argv)
{
    auto_settings struct launch_settings settings = LAUNCH_SETTINGS;
    auto_report struct launch_report report = LAUNCH_REPORT(name, launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(command, argc, argv, &settings, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(command);
    settings.dry_run |= dry;
    if (settings.dry_run)
        launch_report_set(&report, "dryRun", json_true());
    if (rc == 0)
        rc = run_verb(&settings, &report, &err);
    return launch_report_end(&report, rc, &err);
}

bool launch_wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int launch_help(const struct vmcp_command *command)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(65536);
    vmcp_command_help(command, &text);
    fputs(text.data ? text.data : "", stdout);
    return fflush(stdout) == 0 ? VMCP_EXIT_DONE : vmcp_code_exit(VMCP_E_FILE);
}

int launch_main(int argc, char **argv)
{
    return verb(&launch_launch_command, "launch", false, argc, argv);
}

int launch_plan_main(int argc, char **argv)
{
    return verb(&launch_plan_command, "plan", true, argc, argv);
}
