/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - what running jobs takes: what all share, and what each thread has for itself.
 *
 *     struct launch_jobs jobs = LAUNCH_JOBS(&settings, &report);
 *     int rc = launch_jobs_begin(&jobs, err);
 *     auto_worker struct launch_worker worker = {0};
 *     if (rc == 0)
 *         rc = launch_worker_begin(&worker, &jobs, err);
 *     auto_signed_job struct launch_signed_job job = {0};
 *     if (rc == 0)
 *         rc = launch_worker_fetch(&worker, &state, "resize-web", &job, NULL, err);
 *     if (rc == 0)
 *         rc = launch_execute(&worker, &job, &when, &outcome, err);
 */
#ifndef LAUNCH_WORKER_H
#define LAUNCH_WORKER_H

#include <stdbool.h>

#include "history.h"
#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/job.h"
#include "reach.h"
#include "run.h"
#include "tokens.h"

/* Shared by all threads, and not changed while they run. */
struct launch_jobs {
    struct launch_run run; /* settings, report, domain, trust, host id, state folder, API, IAM */
    struct vmcp_list allow_uri;
    struct launch_purpose purpose;
    struct launch_tokens *tokens;
    struct launch_reach reach;
    /* The clock, milliseconds since 1970, and a pause until then: true once it is over, false
     * where whoever runs us wants us to stop. Tests have their own. */
    int64_t (*now_ms)(void *arg);
    bool (*wait_until_ms)(void *arg, int64_t at_ms);
    void *clock_arg;
};
#define LAUNCH_JOBS(the_settings, the_report)       \
    {                                               \
        .run = LAUNCH_RUN(the_settings, the_report) \
    }

/* Whom to ask, whom to trust, what may be called; the settings are resolved. */
VMCP_MUST_CHECK int launch_jobs_begin(struct launch_jobs *jobs, struct vmcp_error *err);
void launch_jobs_clear(struct launch_jobs *jobs);
#define auto_jobs VMCP_AUTO(launch_jobs_clear)

/* One thread's. */
struct launch_worker {
    struct launch_jobs *jobs;
    struct http_client *http;
    struct vmcp_trust *trust; /* its own: thumbprints in it are resolved when it is first used */
    struct launch_history *history;
};
VMCP_MUST_CHECK int launch_worker_begin(struct launch_worker *worker, struct launch_jobs *jobs,
                                        struct vmcp_error *err);
void launch_worker_end(struct launch_worker *worker);
#define auto_worker VMCP_AUTO(launch_worker_end)

/* A job as it was signed, verified now. */
struct launch_signed_job {
    char name[VMCP_NAME_MAX + 1];
    struct vmcp_answer answer;
    struct vmcp_job job; /* of answer.job */
};
void launch_signed_job_clear(struct launch_signed_job *job);
#define auto_signed_job VMCP_AUTO(launch_signed_job_clear)

/* Ask the responder once, with a new salt, verify, and raise the serial in the job's state, which
 * the caller has opened and locked (launch_state_open_job()). *ret_retry may be NULL: whether
 * asking again can help. Errors: those of http_ask(), among them VMCP_E_SERIAL, and of
 * vmcp_job_read(). */
VMCP_MUST_CHECK int launch_worker_fetch(struct launch_worker *worker, struct launch_state *state,
                                        const char *name, struct launch_signed_job *ret,
                                        struct http_retry *ret_retry, struct vmcp_error *err);

#endif
