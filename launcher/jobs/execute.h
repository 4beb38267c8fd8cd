/* SPDX-License-Identifier: Apache-2.0 */
/* execute.h - one run of a job: its attempts, with their pauses, to the end.
 *
 * Each attempt is in the history before it is sent. What a crash cut off is settled first: an
 * operation that was known is followed; what may be repeated (a read, a PUT or DELETE, a call of
 * Compute with its requestId) is sent again as the same attempt, for half an hour, where the job
 * still says the same; anything else is in doubt, and `onDoubt` says whether it is repeated. A run
 * that was cut off before its first attempt is made up for only as `onMissed` says.
 */
#ifndef LAUNCH_EXECUTE_H
#define LAUNCH_EXECUTE_H

#include "worker.h"

struct launch_when {
    int64_t schedule_ms; /* the scheduled time; that of the call for a manual run */
    bool manual;
};

struct launch_step {
    struct launch_run_row run; /* `outcome` is OPEN until it is over */
    int64_t next_ms;           /* when the next attempt is due; 0: it is over */
};

/* Do the next thing of a run: settle or send one attempt. The caller holds the job's lock, and
 * comes back at `next_ms`; called earlier, nothing happens. Errors: only what kept us from running
 * at all or from writing the history. */
VMCP_MUST_CHECK int launch_execute_step(struct launch_worker *worker,
                                        const struct launch_signed_job *job,
                                        const struct launch_when *when, struct launch_step *ret,
                                        struct vmcp_error *err);

/* All steps, with their pauses. Ends early, with the run still open, where the clock says so. */
VMCP_MUST_CHECK int launch_execute(struct launch_worker *worker,
                                   const struct launch_signed_job *job,
                                   const struct launch_when *when, struct launch_run_row *ret,
                                   struct vmcp_error *err);

#endif
