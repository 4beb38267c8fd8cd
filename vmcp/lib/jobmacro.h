/* SPDX-License-Identifier: Apache-2.0 */
/* jobmacro.h - ${vmcp.…} in a job: found here, replaced by who runs the job.
 *
 * They share the name space and the escape of a machine's macros (macro.h: `$${vmcp.` is a literal
 * `${vmcp.`), and nothing else: a responder signs a job's as they stand.
 *
 *     struct vmcp_jobmacro m;
 *     for (size_t at = 0;;) {
 *         int rc = vmcp_jobmacro_next(text, len, &at, &m, err);
 *         if (rc < 0)
 *             return rc;
 *         … add text[m.plain_from, m.plain_to), then the value of m.kind
 *         if (m.kind == VMCP_JOBMACRO_END)
 *             break;
 *     }
 */
#ifndef VMCP_JOBMACRO_H
#define VMCP_JOBMACRO_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"
#include "limits.h"

enum vmcp_jobmacro_kind {
    VMCP_JOBMACRO_END = 0,           /* nothing more comes */
    VMCP_JOBMACRO_UUID = 1,          /* the same for all resends of one attempt */
    VMCP_JOBMACRO_SCHEDULE_TIME = 2, /* the time that the schedule gave, RFC 3339, UTC */
    VMCP_JOBMACRO_ATTEMPT = 4,       /* 1, 2, … of one scheduled time */
    VMCP_JOBMACRO_PREVIOUS = 8,      /* a field of the last success's JSON */
    VMCP_JOBMACRO_LITERAL = 16,      /* the escape: what it stands for is `${vmcp.` */
};

/* A macro, and the plain text before it. */
struct vmcp_jobmacro {
    enum vmcp_jobmacro_kind kind;
    size_t plain_from, plain_to;
    size_t from, to;                    /* the macro itself */
    char field[VMCP_JOB_FIELD_MAX + 1]; /* of VMCP_JOBMACRO_PREVIOUS: a dotted path */
};

/* The text of VMCP_JOBMACRO_LITERAL. */
#define VMCP_JOBMACRO_OPENING "${vmcp."

/* Find the first macro from *at on, and move *at behind it. Errors: VMCP_E_MACRO for an unknown
 * one; *at is then where it stands. */
VMCP_MUST_CHECK int vmcp_jobmacro_next(const char *text, size_t len, size_t *at,
                                       struct vmcp_jobmacro *ret, struct vmcp_error *err);

/* What a dotted path leads to: members by name, elements of an array by number. Borrowed; NULL:
 * nothing is there. */
const json_t *vmcp_jobmacro_lookup(const json_t *root, const char *field);

#endif
