/* SPDX-License-Identifier: Apache-2.0 */
/* execute.h - one run of a job: its attempts, with their pauses, to the end.
 *
 * Each attempt is in the history before it is sent. What a crash cut off is settled first: an
 * operation that was known is followed; what may be repeated (a read, a PUT or DELETE, a call of
 * Compute with its requestId) is sent again as the same attempt; anything else is in doubt, and
 * `onDoubt` says whether it is repeated.
 */
#ifndef LAUNCH_EXECUTE_H
#define LAUNCH_EXECUTE_H

#include "worker.h"

struct launch_when {
    int64_t schedule_ms; /* the scheduled time; `now` for a manual run */
    bool manual;
};

/* Run it. The caller holds the job's lock. 0: it is over, and *ret says how it ended (`outcome`,
 * `error`). Errors: only what kept us from running at all or from writing the history. */
VMCP_MUST_CHECK int launch_execute(struct launch_worker *worker,
                                   const struct launch_signed_job *job,
                                   const struct launch_when *when, struct launch_run_row *ret,
                                   struct vmcp_error *err);

#endif
