/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "job_http.h"
#include "jobmacro.h"
#include "name.h"

/* What only Cloud Scheduler writes. `name` is the resource's there: here a job is named by its
 * file. */
static const char *const output_only[] = {
    "name", "state", "status", "scheduleTime", "lastAttemptTime", "userUpdateTime", "satisfiesPzs"};

enum { OUTPUT_ONLY = sizeof(output_only) / sizeof(*output_only) };

static const struct vmcp_field_name names[] = {
    {"description", NULL},
    {"schedule", NULL},
    {"timeZone", NULL},
    {"httpTarget", NULL},
    {"launch", NULL},
    {"retryConfig", NULL},
    {"attemptDeadline", NULL},
    {"waitForOperation", NULL},
    {"onMissed", NULL},
    {"onDoubt", NULL},
    {"previousDefault", NULL},
    {"name", NULL},
    {"state", NULL},
    {"status", NULL},
    {"scheduleTime", NULL},
    {"lastAttemptTime", NULL},
    {"userUpdateTime", NULL},
    {"satisfiesPzs", NULL},
    {"pubsubTarget", "jobs here call over HTTP or launch a machine; to publish, call "
                     "https://pubsub.googleapis.com/v1/…:publish as `httpTarget`"},
    {"appEngineHttpTarget", "jobs here call over HTTP or launch a machine; write the service's "
                            "https URL as `httpTarget`"},
    {"uri", "it belongs into `httpTarget`"},
    {"httpMethod", "it belongs into `httpTarget`"},
    {"headers", "it belongs into `httpTarget`"},
    {"body", "it belongs into `httpTarget`"},
    {"bodyJson", "it belongs into `httpTarget`"},
    {"oauthToken", "it belongs into `httpTarget`"},
    {"oidcToken", "it belongs into `httpTarget`"},
    {"serial", "it stands beside `job`, not in it"},
};

void vmcp_job_strip(json_t *document)
{
    for (size_t i = 0; i < OUTPUT_ONLY; i++)
        json_object_del(document, output_only[i]);
}

static void read_schedule(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_error err = {0};
    size_t at = 0;
    job->time_zone = "Etc/UTC";
    vmcp_fields_string(f, "timeZone", VMCP_ZONE_NAME_MAX, &job->time_zone);
    if (vmcp_zone_name_check(job->time_zone, &err) < 0)
        vmcp_fields_fail(f, "timeZone", false, "%s", err.text);
    vmcp_fields_string(f, "schedule", VMCP_SCHEDULE_MAX, &job->schedule_text);
    if (!json_object_get(f->object, "schedule"))
        vmcp_fields_fail(f, NULL, false, "the job has no `schedule`");
    if (job->schedule_text &&
        vmcp_schedule_parse(job->schedule_text, &job->schedule, &at, &err) < 0) {
        vmcp_fields_fail(f, "schedule", false, "%s", err.text);
        vmcp_diag_into(f->diags, at);
    }
}

static void read_retry(const struct vmcp_fields *f, struct vmcp_job *job)
{
    static const struct vmcp_field_name known[] = {{"retryCount", NULL},
                                                   {"maxRetryDuration", NULL},
                                                   {"minBackoffDuration", NULL},
                                                   {"maxBackoffDuration", NULL},
                                                   {"maxDoublings", NULL}};
    enum { DAY = 24 * 3600 };
    struct vmcp_fields retry;
    int64_t count = 0, doublings = 5;
    job->retry = (struct vmcp_job_retry){.min_backoff_ms = 5000, .max_backoff_ms = 3600000};
    if (vmcp_fields_object(f, "retryConfig", &retry)) {
        vmcp_fields_known(&retry, known, sizeof(known) / sizeof(*known));
        vmcp_fields_integer(&retry, "retryCount", 0, VMCP_JOB_RETRIES_MAX, &count);
        vmcp_fields_integer(&retry, "maxDoublings", 0, VMCP_JOB_DOUBLINGS_MAX, &doublings);
        vmcp_fields_duration(&retry, "maxRetryDuration", 0, 31 * DAY, &job->retry.max_duration_ms);
        vmcp_fields_duration(&retry, "minBackoffDuration", 0, DAY, &job->retry.min_backoff_ms);
        vmcp_fields_duration(&retry, "maxBackoffDuration", 0, DAY, &job->retry.max_backoff_ms);
        if (job->retry.min_backoff_ms > job->retry.max_backoff_ms)
            vmcp_fields_fail(&retry, NULL, false,
                             "`minBackoffDuration` is over `maxBackoffDuration`");
    }
    job->retry.count = (int)count;
    job->retry.max_doublings = (int)doublings;
}

static void read_target(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_fields target;
    bool has_target = json_object_get(f->object, "httpTarget");
    vmcp_fields_string(f, "launch", VMCP_NAME_MAX, &job->launch);
    if (job->launch && vmcp_machine_name_check(job->launch, strlen(job->launch), NULL) < 0)
        vmcp_fields_fail(f, "launch", false,
                         "`launch` is to be a machine's name, [a-z0-9][a-z0-9-]{0,62}");
    if (vmcp_fields_object(f, "httpTarget", &target))
        vmcp_job_http_read(&target, job);
    if (has_target && json_object_get(f->object, "launch"))
        vmcp_fields_fail(f, "launch", true, "`launch` and `httpTarget` exclude each other");
    else if (!has_target && !json_object_get(f->object, "launch"))
        vmcp_fields_fail(f, NULL, false, "what is to be done? `httpTarget` or `launch` is wanted");
}

static void read_previous(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_fields previous;
    if (vmcp_fields_object(f, "previousDefault", &previous))
        job->previous_default = previous.object;
}

static void read_behaviour(const struct vmcp_fields *f, struct vmcp_job *job)
{
    static const char *const missed[] = {"skip", "runOnce"}, *const doubt[] = {"report", "retry"};
    size_t on_missed = 0, on_doubt = 0;
    job->attempt_deadline_ms = VMCP_JOB_DEADLINE_DEFAULT * 1000;
    vmcp_fields_duration(f, "attemptDeadline", VMCP_JOB_DEADLINE_MIN, VMCP_JOB_DEADLINE_MAX,
                         &job->attempt_deadline_ms);
    vmcp_fields_bool(f, "waitForOperation", &job->wait_for_operation);
    vmcp_fields_word(f, "onMissed", missed, 2, &on_missed);
    vmcp_fields_word(f, "onDoubt", doubt, 2, &on_doubt);
    job->run_missed = on_missed == 1;
    job->retry_in_doubt = on_doubt == 1;
}

/* What is good, and means nothing or something that nobody may have meant. */
static void warn(const struct vmcp_fields *f, const struct vmcp_job *job)
{
    char pointer[sizeof(f->pointer)];
    const char *state = json_string_value(json_object_get(f->object, "state"));
    if (state && strcmp(state, "ENABLED") != 0)
        vmcp_diag_warning(f->diags, vmcp_fields_pointer(f, "state", pointer), false,
                          "the job is %.32s at Cloud Scheduler, which counts for nothing here: it "
                          "will run",
                          state);
    if (job->launch && json_object_get(f->object, "waitForOperation"))
        vmcp_diag_warning(f->diags, vmcp_fields_pointer(f, "waitForOperation", pointer), true,
                          "a launch is always followed to its end");
    if (job->previous_default && !(job->macros & VMCP_JOBMACRO_PREVIOUS))
        vmcp_diag_warning(f->diags, vmcp_fields_pointer(f, "previousDefault", pointer), true,
                          "no ${vmcp.previous.…} uses this");
}

static void read_job(const struct vmcp_fields *f, struct vmcp_job *job)
{
    vmcp_fields_known(f, names, sizeof(names) / sizeof(*names));
    vmcp_fields_string(f, "description", VMCP_JOB_DESCRIPTION_MAX, &job->description);
    read_schedule(f, job);
    read_previous(f, job);
    read_target(f, job);
    read_retry(f, job);
    read_behaviour(f, job);
    warn(f, job);
}

int vmcp_job_read(const json_t *document, const char *prefix, struct vmcp_diags *diags,
                  struct vmcp_job *ret, struct vmcp_error *err)
{
    auto_diags struct vmcp_diags own = {0};
    auto_job struct vmcp_job job = {0};
    struct vmcp_fields f = {.object = document, .code = VMCP_E_JOB, .diags = diags ? diags : &own};
    size_t before = f.diags->errors;
    snprintf(f.pointer, sizeof(f.pointer), "%s", prefix);
    if (json_is_object(document))
        read_job(&f, &job);
    else
        vmcp_fields_fail(&f, NULL, false, "a job is a JSON object");
    if (f.diags->errors > before) {
        int rc = vmcp_diags_check(f.diags, err);
        return rc < 0 ? rc : vmcp_fail(err, VMCP_E_JOB, "the job is wrong");
    }
    job.document = json_incref((json_t *)(uintptr_t)document);
    *ret = job;
    job = (struct vmcp_job){0};
    return 0;
}

void vmcp_job_clear(struct vmcp_job *job)
{
    json_decref(job->document);
    free(job->body);
    *job = (struct vmcp_job){0};
}

int vmcp_job_check_universe(const struct vmcp_job *job, const char *universe,
                            struct vmcp_error *err)
{
    if (job->token != VMCP_JOB_TOKEN_OAUTH || vmcp_joburi_in_universe(&job->target, universe))
        return 0;
    return vmcp_fail(err, VMCP_E_JOB,
                     "an access token goes to %s and hosts under it only, and %s is none of them; "
                     "`oidcToken` is for other hosts",
                     universe, job->target.host);
}
