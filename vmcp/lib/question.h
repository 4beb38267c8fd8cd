/* SPDX-License-Identifier: Apache-2.0 */
/* question.h - what a client asks, as a value.
 *
 * The server's side of the rules: a salt and host id of a narrow alphabet, each parameter once, one
 * machine. A salt with a newline in it would write further parameters into the version 1 signed
 * text; none gets past here.
 */
#ifndef VMCP_QUESTION_H
#define VMCP_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "answer.h"
#include "error.h"
#include "limits.h"

struct vmcp_question {
    enum vmcp_format format;
    char salt[VMCP_SALT_MAX + 1];    /* "" while not given */
    char hostid[VMCP_SALT_MAX + 1];  /* "" if not given; version 1 may come without */
    char machine[VMCP_NAME_MAX + 1]; /* "" if none is named */
};

/* Take one decoded parameter of the query; lengths count, so that a NUL cannot hide anything. Those
 * that are not ours are ignored. Errors: VMCP_E_SALT_MALFORMED, VMCP_E_HOSTID_MALFORMED,
 * VMCP_E_NAME_MALFORMED, VMCP_E_PARAMETER_REPEATED. */
VMCP_MUST_CHECK int vmcp_question_add(struct vmcp_question *question, const char *key,
                                      size_t key_len, const char *value, size_t value_len,
                                      struct vmcp_error *err);

/* Take the machine's name from the path, after the query: VMCP_E_NAME_CONFLICT if they disagree. */
VMCP_MUST_CHECK int vmcp_question_set_path(struct vmcp_question *question, const char *name,
                                           struct vmcp_error *err);

/* Choose the format by the Accept header (NULL: none; several lines of it joined with commas, RFC
 * 9110, section 5.3): version 2 where it names application/jose with q > 0 (section 12.5.1), else
 * version 1; then see that all is there. Errors: VMCP_E_SALT_MISSING, VMCP_E_HOSTID_REQUIRED. */
VMCP_MUST_CHECK int vmcp_question_finish(struct vmcp_question *question, const char *accept,
                                         struct vmcp_error *err);

#endif
