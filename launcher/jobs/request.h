/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - the HTTP request that an attempt sends, made from a job and the attempt's values. */
#ifndef LAUNCH_REQUEST_H
#define LAUNCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "expand.h"
#include "http/client.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/job.h"
#include "reach.h"

struct launch_request {
    struct vmcp_buf uri; /* as the job has it, expanded */
    struct vmcp_buf url; /* where it goes */
    struct vmcp_buf body;
    char *headers[VMCP_JOB_HEADERS_MAX + 8]; /* owned lines, NULL at the end */
    size_t header_count;
    bool compute;    /* the Compute API: it knows the attempt by its requestId */
    bool safe;       /* changes nothing: GET, HEAD, OPTIONS (RFC 9110, section 9.2.1) */
    bool repeatable; /* sent twice, it acts once: a requestId, or section 9.2.2 */
};

/* What Cloud Scheduler's own headers say. */
struct launch_scheduled {
    const char *job;
    const struct launch_values *values;
};

/* Make it. Errors: VMCP_E_MACRO, VMCP_E_POLICY, VMCP_E_URL_MALFORMED: such a job is not run. */
VMCP_MUST_CHECK int launch_request_make(const struct launch_reach *reach,
                                        const struct vmcp_job *job,
                                        const struct launch_scheduled *scheduled,
                                        struct launch_request *ret, struct vmcp_error *err);
void launch_request_clear(struct launch_request *request);
#define auto_request VMCP_AUTO(launch_request_clear)

/* GET, HEAD, OPTIONS. */
bool launch_request_is_safe(const char *method);
/* Is it sent twice without doing twice, by its method and address alone? Asked of an attempt in the
 * history. `compute`: the URI is of the Compute API. */
bool launch_request_repeatable(const char *method, const char *uri, bool compute);

#endif
