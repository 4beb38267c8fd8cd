/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - what a job may call, by the word of whoever runs the launcher.
 *
 * --allow-uri names prefixes: origin and path, whole segments. Without any it is the Compute API's
 * own address. A signature says who wrote a job; this says what a stolen key could reach.
 */
#ifndef LAUNCH_REACH_H
#define LAUNCH_REACH_H

#include <stdbool.h>

#include "cloud/destination.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/job.h"
#include "lib/options.h"

struct launch_reach {
    const struct vmcp_list *allow;           /* --allow-uri */
    const struct launch_destinations *rules; /* universe, --api-endpoint */
    const char *compute;                     /* base of the Compute API, with a slash at its end */
};

/* Is each prefix a URI without query? VMCP_E_USAGE. */
VMCP_MUST_CHECK int launch_reach_check_list(const struct vmcp_list *allow, struct vmcp_error *err);

/* Is it the Compute API, v1: compute.UNIVERSE/compute/v1/ or www.UNIVERSE/compute/v1/ over https?
 */
bool launch_reach_is_compute(const struct launch_reach *reach, const char *uri,
                             const struct vmcp_joburi *parsed);

/* May `uri`, the expanded one of a job, be called? What is to be called goes into `out`: the same,
 * or below --api-endpoint where it is the Compute API and that is given. Errors: VMCP_E_POLICY for
 * what no prefix covers, for `.` and `..` in the path, and for an access token to a host outside of
 * the universe. */
VMCP_MUST_CHECK int launch_reach_find(const struct launch_reach *reach, const struct vmcp_job *job,
                                      const char *uri, struct vmcp_buf *out,
                                      struct vmcp_error *err);

/* May the job's token go to this operation, which an earlier attempt left? Only where the job calls
 * now: what was signed since may be for somebody else. */
bool launch_reach_may_follow(const struct launch_reach *reach, const struct vmcp_job *job,
                             const char *operation);

#endif
