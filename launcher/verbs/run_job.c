/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `run-job`: one signed job, now and once. */
#include "run_job.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "jobs/execute.h"
#include "launch.h"
#include "lib/name.h"

enum { PAUSE_MAX_S = 16 };

#define AT(field) offsetof(struct job_args, settings.field)

static const struct vmcp_option options[] = {
    JOB_ROWS(AT, offsetof(struct job_args, allow_uri)),
    {0},
};

const struct vmcp_command launch_run_job_command = {
    .name = "vmcp-launch run-job",
    .operands = "NAME",
    .summary = "run a signed job now, once, to the end",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "Asks the responder for the job with a fresh salt, verifies it, and does what it says,\n"
        "with its retries, whatever its schedule. What an earlier run that was cut off left\n"
        "behind is settled first. Each attempt is in the history before it is sent: see\n"
        "`vmcp-launch jobs history`. Exit codes: as for `launch`; 1 if the job was refused or\n"
        "ended in doubt, 7 if it failed.\n",
    .example = "  vmcp-launch run-job resize-web --endpoint https://cfg.example.org \\\n"
               "      --trust cfg.example.org.pub\n",
};

static int fetch(struct launch_worker *worker, struct launch_state *state, const char *name,
                 struct launch_signed_job *ret, struct vmcp_error *err)
{
    const struct launch_run *run = &worker->jobs->run;
    int64_t end = launch_uptime_ms() + run->settings->boot_timeout * 1000;
    for (int n = 1;; n++) {
        struct http_retry retry = {0};
        int rc = launch_worker_fetch(worker, state, name, ret, &retry, err);
        int64_t pause = launch_pause_ms(n, retry.after, PAUSE_MAX_S);
        if (rc == 0 || !retry.can)
            return rc;
        if (launch_uptime_ms() + pause > end)
            return rc == -VMCP_E_TIMEOUT ? vmcp_fail(err, VMCP_E_NETWORK, "%s", err->text) : rc;
        launch_say(run->report, "no answer yet (%s); trying again in %lld s", err->text,
                   (long long)(pause + 999) / 1000);
        launch_sleep_ms(pause);
    }
}

/* The run's outcome as that of the program. */
static int outcome_error(const struct launch_run_row *row, struct vmcp_error *err)
{
    switch (row->outcome) {
    case LAUNCH_OUTCOME_SUCCEEDED:
        return 0;
    case LAUNCH_OUTCOME_DOUBT:
        return vmcp_fail(err, VMCP_E_OPERATION,
                         "in doubt: it may have been carried out, and is not repeated: %s",
                         row->error);
    case LAUNCH_OUTCOME_REFUSED:
        return vmcp_fail(err, VMCP_E_POLICY, "%s", row->error);
    case LAUNCH_OUTCOME_FAILED:
    case LAUNCH_OUTCOME_MISSED:
    case LAUNCH_OUTCOME_OPEN:
        break;
    }
    return vmcp_fail(err, VMCP_E_OPERATION, "the job failed: %s", row->error);
}

static int tell(struct launch_worker *worker, const char *name, const struct launch_run_row *row,
                struct vmcp_error *err)
{
    struct launch_report *report = worker->jobs->run.report;
    struct launch_job_name job = {worker->jobs->run.domain, name};
    json_auto_t *runs = NULL;
    int rc = launch_history_runs(worker->history, &job, 1, true, &runs, err);
    if (rc < 0)
        return rc;
    launch_report_set(report, "outcome", json_string(launch_outcome_name(row->outcome)));
    launch_report_set(report, "run", json_incref(json_array_get(runs, 0)));
    launch_say(report, "%s: %s", name, launch_outcome_name(row->outcome));
    return outcome_error(row, err);
}

/* A run that was cut off has its own scheduled time, and comes first. */
static int settle_open(struct launch_worker *worker, const struct launch_signed_job *job,
                       struct vmcp_error *err)
{
    struct launch_job_name name = {worker->jobs->run.domain, job->name};
    struct launch_run_row row = {0};
    for (bool found = true; found;) {
        int rc = launch_history_last_run(worker->history, &name, false, true, &found, &row, err);
        if (rc < 0 || !found)
            return rc;
        struct launch_when when = {.schedule_ms = row.schedule_ms, .manual = row.manual};
        launch_say(worker->jobs->run.report, "an earlier run was cut off: settling it first");
        rc = launch_execute(worker, job, &when, &row, err);
        if (rc < 0)
            return rc;
        launch_say(worker->jobs->run.report, "the earlier run: %s%s%s",
                   launch_outcome_name(row.outcome), row.error[0] ? ": " : "", row.error);
    }
    return 0;
}

static int run_locked(struct launch_worker *worker, struct launch_state *state, const char *name,
                      struct vmcp_error *err)
{
    struct launch_jobs *jobs = worker->jobs;
    auto_signed_job struct launch_signed_job job = {0};
    struct launch_run_row row = {0};
    int rc = fetch(worker, state, name, &job, err);
    if (rc < 0)
        return rc;
    launch_say(jobs->run.report, "job %s of %s is good: serial %lld, signed by %s", name,
               jobs->run.domain, (long long)job.answer.serial, job.answer.thumbprint);
    launch_report_set(jobs->run.report, "serial", json_integer(job.answer.serial));
    rc = settle_open(worker, &job, err);
    struct launch_when when = {.schedule_ms = jobs->now_ms(jobs->clock_arg), .manual = true};
    if (rc == 0)
        rc = launch_execute(worker, &job, &when, &row, err);
    return rc < 0 ? rc : tell(worker, name, &row, err);
}

static int run_verb(struct job_args *args, struct launch_report *report, const char *name,
                    struct vmcp_error *err)
{
    auto_jobs struct launch_jobs jobs = LAUNCH_JOBS(&args->settings, report);
    auto_worker struct launch_worker worker = {0};
    auto_state struct launch_state state = LAUNCH_STATE;
    jobs.allow_uri = args->allow_uri;
    int rc = vmcp_machine_name_check(name, strlen(name), err);
    if (rc == 0)
        rc = launch_run_begin(&jobs.run, err);
    if (rc == 0)
        rc = launch_settings_resolve(&args->settings, &jobs.run.metadata, true, err);
    if (rc == 0)
        rc = launch_jobs_begin(&jobs, err);
    launch_report_set(report, "domain", json_string(jobs.run.domain));
    launch_report_set(report, "job", json_string(name));
    if (rc == 0)
        rc = launch_worker_begin(&worker, &jobs, err);
    if (rc == 0)
        rc = launch_state_open_job(jobs.run.dir, jobs.run.domain, name, true, &state, err);
    return rc < 0 ? rc : run_locked(&worker, &state, name, err);
}

int launch_run_job_main(int argc, char **argv)
{
    struct job_args args = JOB_ARGS;
    auto_report struct launch_report report =
        LAUNCH_REPORT("run-job", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_run_job_command, argc, argv, &args, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_run_job_command);
    if (rc == 0)
        rc = run_verb(&args, &report, operands.items[0], &err);
    launch_settings_clear(&args.settings);
    return launch_report_end(&report, rc, &err);
}
