/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - jobs on their schedules, until somebody ends it.
 *
 * The scheduler (scheduler.h) says what is due, threads do it, each with a worker of its own. A job
 * is fetched and verified before each run, and its lock is held from then to the run's end, through
 * the pauses between attempts, in which no thread waits for it.
 *
 * SIGTERM and SIGINT end it: what is being sent goes on for the stop's grace; what is still open
 * then is in the history, and the next start settles it. SIGHUP refreshes all jobs.
 */
#ifndef LAUNCH_SERVICE_H
#define LAUNCH_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execute.h"
#include "scheduler.h"
#include "worker.h"
#include "zones.h"

enum { LAUNCH_OUTCOMES = LAUNCH_OUTCOME_MISSED + 1 };

/* A run between two of its attempts. */
struct launch_held {
    struct launch_state state; /* locked */
    struct launch_signed_job job;
};
void launch_held_free(struct launch_held *held);

/* What the service knows of a job. `kept` and `held` are of whoever has its task, all else is under
 * the service's lock. */
struct launch_scheduled_job {
    const char *name; /* borrowed */
    bool known, stopped;
    int64_t serial, success_ms;
    uint32_t runs[LAUNCH_OUTCOMES], attempts;
    char *kept;          /* the last verified one as JSON, where an offline grace wants it; owned */
    int64_t verified_ms; /* when that was, by launch_uptime_ms() */
    struct launch_held *held; /* owned */
};

struct launch_tasks {
    struct launch_task *items; /* a ring with room for each job's one task */
    size_t room, head, count;
};

struct launch_service {
    struct launch_jobs *jobs; /* borrowed */
    int64_t offline_grace_ms; /* how long the last verified one may run unasked */
    struct launch_zones zones;
    struct launch_scheduled_job *all; /* by the scheduler's numbers */
    size_t count;

    pthread_mutex_t lock; /* over all below */
    pthread_cond_t work;
    struct launch_scheduler *scheduler;
    struct launch_tasks runs, refreshes;
    int busy;    /* threads that do something */
    int wake_fd; /* eventfd: something is due sooner than the main thread believes, or ended */
    int64_t asleep_until_ms;
    bool stopping;
    bool deaf; /* the responder did not answer the last question */
    uint64_t refusals[VMCP_CODE_COUNT], history_failures;
};

struct launch_service_options {
    struct launch_jobs *jobs;
    const char *const *names; /* borrowed */
    size_t count;
    int parallel;
    int64_t refresh_ms, patience_ms, offline_grace_ms, stop_grace_ms;
    const char *metrics; /* "ADDR:PORT" or "unix:PATH"; NULL: none */
};

/* Run until it is told to end. Errors: what kept it from beginning. */
VMCP_MUST_CHECK int launch_service_run(const struct launch_service_options *options,
                                       struct vmcp_error *err);

/* Do a task that was taken, and tell the scheduler what came of it (service_work.c). Without the
 * lock. */
void launch_service_work(struct launch_service *service, struct launch_worker *worker,
                         const struct launch_task *task);

#endif
