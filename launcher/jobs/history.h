/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - what was attempted, when, and what came of it: DIR/history.db of the state folder.
 *
 * A run is one scheduled time of a job; it has attempts. An attempt is written, and on the disk,
 * before its request is sent, and its outcome after: what has no outcome was cut off by a crash and
 * may have been carried out. Several processes may use the file; the lock of a job (state.h) says
 * who runs it. Times are milliseconds since 1970.
 *
 * What is kept: the last LAUNCH_RUNS_KEPT runs of a job and attempts of a run, at most
 * LAUNCH_RESPONSE_MAX bytes of an answer, no header of any request.
 */
#ifndef LAUNCH_HISTORY_H
#define LAUNCH_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/limits.h"

enum { LAUNCH_RUNS_KEPT = 200, LAUNCH_RESPONSE_MAX = 64 * 1024, LAUNCH_WHY_MAX = 360 };

/* Used by one thread at a time. */
struct launch_history {
    struct launch_database db;
};

/* Open DIR/history.db, made with mode 0600 where it is missing. Errors: VMCP_E_FILE,
 * VMCP_E_FILE_MODE, VMCP_E_STATE for what is no history. */
VMCP_MUST_CHECK int launch_history_open(const char *dir, struct launch_history **ret,
                                        struct vmcp_error *err);
void launch_history_close(struct launch_history *history);

/* How a run or an attempt ended. The names are those of `vmcp-launch jobs`. */
enum launch_outcome {
    LAUNCH_OUTCOME_OPEN = 0, /* not yet */
    LAUNCH_OUTCOME_SUCCEEDED,
    LAUNCH_OUTCOME_FAILED,
    LAUNCH_OUTCOME_DOUBT,   /* it may have been carried out */
    LAUNCH_OUTCOME_REFUSED, /* never sent: the answer, a rule or a bound said no */
    LAUNCH_OUTCOME_MISSED,  /* never sent: nobody ran at that time */
};
const char *launch_outcome_name(enum launch_outcome outcome);

struct launch_job_name {
    const char *domain, *job;
};

struct launch_run_row {
    int64_t id, schedule_ms, serial, started_ms, ended_ms; /* ended_ms: 0 while open */
    bool manual;                                           /* `run-job`, not the schedule */
    enum launch_outcome outcome;
    char error[LAUNCH_WHY_MAX]; /* why it failed; "" */
};

struct launch_attempt_row {
    int64_t id;
    int number;                        /* from 1 */
    char request_id[VMCP_JTI_LEN + 1]; /* launch_request_id() */
    char method[16], uri[2084];        /* as it was sent */
    int64_t started_ms, ended_ms;      /* ended_ms: 0 while open */
    enum launch_outcome outcome;       /* OPEN: sent, perhaps; then settled by `operation` */
    int status;                        /* of the answer; 0: none came */
    char operation[2084];              /* the URL of the operation that is followed; "" */
    char error[LAUNCH_WHY_MAX];        /* why it failed; "" */
};

/* The run of this scheduled time: made, with the outcome that it has already, or the one that is
 * there (*ret_made false). */
VMCP_MUST_CHECK int launch_history_run(struct launch_history *history,
                                       const struct launch_job_name *name,
                                       const struct launch_run_row *run, bool *ret_made,
                                       struct launch_run_row *ret, struct vmcp_error *err);
/* It is over. Old runs of the job are forgotten. */
VMCP_MUST_CHECK int launch_history_end_run(struct launch_history *history, int64_t run,
                                           enum launch_outcome outcome, int64_t now_ms,
                                           const char *error, struct vmcp_error *err);
/* The newest run of a job; with `scheduled` only of its schedule; with `open` only one that has no
 * outcome. False in *ret_found where there is none. */
VMCP_MUST_CHECK int launch_history_last_run(struct launch_history *history,
                                            const struct launch_job_name *name, bool scheduled,
                                            bool open, bool *ret_found, struct launch_run_row *ret,
                                            struct vmcp_error *err);

/* Write an attempt of a run, before it is sent; its id goes into attempt->id. On the disk when
 * this returns. */
VMCP_MUST_CHECK int launch_history_begin(struct launch_history *history, int64_t run,
                                         struct launch_attempt_row *attempt,
                                         struct vmcp_error *err);
/* The answer was an operation: follow that, whoever comes after us. */
VMCP_MUST_CHECK int launch_history_follow(struct launch_history *history, int64_t attempt,
                                          int status, const char *operation,
                                          struct vmcp_error *err);
/* What came of it: outcome, status, error of *attempt, and the answer's body (cut; NULL: none). */
VMCP_MUST_CHECK int launch_history_end(struct launch_history *history,
                                       const struct launch_attempt_row *attempt, const char *body,
                                       size_t body_len, struct vmcp_error *err);
/* The last attempt of a run. */
VMCP_MUST_CHECK int launch_history_last_attempt(struct launch_history *history, int64_t run,
                                                bool *ret_found, struct launch_attempt_row *ret,
                                                struct vmcp_error *err);

/* The JSON of the job's last success: a new reference, NULL where there is none. */
VMCP_MUST_CHECK int launch_history_previous(struct launch_history *history,
                                            const struct launch_job_name *name, json_t **ret,
                                            struct vmcp_error *err);

/* Paused jobs are not run by their schedule. */
VMCP_MUST_CHECK int launch_history_pause(struct launch_history *history,
                                         const struct launch_job_name *name, bool paused,
                                         int64_t now_ms, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_history_is_paused(struct launch_history *history,
                                             const struct launch_job_name *name, bool *ret,
                                             struct vmcp_error *err);

/* Of a job's past, what a scheduler begins with. 0: there is no such time. */
struct launch_marks {
    bool paused;
    int64_t since_ms;   /* times after this one were missed, where no run of theirs is here */
    int64_t open_ms;    /* the scheduled time of a run that has no outcome */
    int64_t success_ms; /* when the last success ended */
};
VMCP_MUST_CHECK int launch_history_marks(struct launch_history *history,
                                         const struct launch_job_name *name,
                                         struct launch_marks *ret, struct vmcp_error *err);
/* From now on its times can be missed: it was seen for the first time, or resumed. */
VMCP_MUST_CHECK int launch_history_watch(struct launch_history *history,
                                         const struct launch_job_name *name, int64_t now_ms,
                                         struct vmcp_error *err);

/* How the last runs ended, oldest first: a new array of launch_outcome_name()s. */
VMCP_MUST_CHECK int launch_history_timeline(struct launch_history *history,
                                            const struct launch_job_name *name, int limit,
                                            json_t **ret, struct vmcp_error *err);

/* For people. The jobs that have a history (domain, job, paused, runs, the last run's members), and
 * the runs of one, newest first, with their attempts: new arrays of objects. */
VMCP_MUST_CHECK int launch_history_jobs(struct launch_history *history, json_t **ret,
                                        struct vmcp_error *err);
VMCP_MUST_CHECK int launch_history_runs(struct launch_history *history,
                                        const struct launch_job_name *name, int limit, bool bodies,
                                        json_t **ret, struct vmcp_error *err);

#define auto_history VMCP_AUTO(launch_history_auto_)
VMCP_DEFINE_AUTO(launch_history_auto_, struct launch_history *, launch_history_close)

#endif
