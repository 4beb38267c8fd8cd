/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h - one attempt at a job's HTTP target: sent, answered, and where the answer is an
 * operation, followed to its end. */
#ifndef LAUNCH_ATTEMPT_H
#define LAUNCH_ATTEMPT_H

#include "request.h"
#include "worker.h"

/* Send it, and again as long as that cannot do twice and there is no answer, until the job's
 * deadline. Fills outcome, status and error of *row; an operation is written to the history when it
 * is known. `answer` gets the JSON or bytes that are kept. Where the clock says that we are to
 * stop, the outcome stays open. Errors: only those of the history. */
VMCP_MUST_CHECK int launch_attempt_send(struct launch_worker *worker, const struct vmcp_job *job,
                                        const struct launch_request *request,
                                        struct launch_attempt_row *row, struct vmcp_buf *answer,
                                        struct vmcp_error *err);

/* Follow row->operation, which was known before a crash. Fills the same. */
void launch_attempt_follow(struct launch_worker *worker, const struct vmcp_job *job,
                           struct launch_attempt_row *row, struct vmcp_buf *answer);

#endif
