/* SPDX-License-Identifier: Apache-2.0 */
/* expand.h - the macros of a job (jobmacro.h) become values, by where they stand.
 *
 * In a path or query they are percent-encoded (RFC 3986), in JSON they stay inside their string, in
 * a header they may hold no control character. What was signed decides where a request goes: the
 * URI's origin is looked at again when all is expanded.
 */
#ifndef LAUNCH_EXPAND_H
#define LAUNCH_EXPAND_H

#include <jansson.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "lib/job.h"

/* What the macros stand for. All borrowed. */
struct launch_values {
    const char *uuid;            /* of this attempt */
    const char *schedule_time;   /* RFC 3339 */
    int attempt;                 /* from 1 */
    const json_t *previous;      /* the last success's JSON; NULL: there is none */
    const json_t *previous_else; /* previousDefault; NULL: there is none */
};

/* The URI, appended. Errors: VMCP_E_MACRO for a field that is not there, no value, or over
 * VMCP_JOB_PREVIOUS_MAX; VMCP_E_URL_MALFORMED; VMCP_E_POLICY for another origin than the signed. */
VMCP_MUST_CHECK int launch_expand_uri(const struct vmcp_job *job,
                                      const struct launch_values *values, struct vmcp_buf *out,
                                      struct vmcp_error *err);

/* The value of a header, appended. VMCP_E_MACRO, also for control characters in it. */
VMCP_MUST_CHECK int launch_expand_header(const char *name, const char *value,
                                         const struct launch_values *values, struct vmcp_buf *out,
                                         struct vmcp_error *err);

/* The body, appended: of `bodyJson` compact JSON, of `body` its bytes; with `json` the values in
 * those are escaped as a JSON string's content (RFC 8259, section 7). */
VMCP_MUST_CHECK int launch_expand_body(const struct vmcp_job *job,
                                       const struct launch_values *values, bool json,
                                       struct vmcp_buf *out, struct vmcp_error *err);

#endif
