/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - many VMs of one machine, several at once: all of them, or a clear list of what failed.
 */
#ifndef LAUNCH_BATCH_H
#define LAUNCH_BATCH_H

#include <jansson.h>
#include <stdint.h>

#include "act.h"
#include "lib/error.h"
#include "run.h"

/* Do one VM. In a run of its own, which shares all but the connections with the others'. */
typedef int (*launch_do)(struct launch_run *run, struct launch_job *job, struct vmcp_error *err);

struct launch_batch {
    struct launch_run *run;
    const struct launch_subject *subject;
    int64_t count;
    int parallel; /* at once */
    launch_do each;
    /* A VM's row of the report, made after it was done. New reference. */
    json_t *(*describe)(const struct launch_run *run, const struct launch_job *job);
};

/* Do VMs 1 to count (0 as its number where there is one only). A failure that every other would
 * meet too ends the handing out; a failed operation is one VM's own. The rows, in the order of the
 * numbers, become the report's `instances`. The first error is the result. */
VMCP_MUST_CHECK int launch_batch(const struct launch_batch *batch, struct vmcp_error *err);

#endif
