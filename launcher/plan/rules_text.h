/* SPDX-License-Identifier: Apache-2.0 */
/* rules_text.h - what all rules need: a member's text, and labels. */
#ifndef LAUNCH_RULES_TEXT_H
#define LAUNCH_RULES_TEXT_H

#include <jansson.h>

#include "lib/error.h"

/* A member's string; "" where it is not there. */
const char *launch_rules_text(const json_t *object, const char *member);

/* Labels of an instance or a disk (NULL: none): at most 64 of [a-z][a-z0-9_-]{0,62} to
 * [a-z0-9_-]{0,63}. VMCP_E_PLAN, at `where`. */
VMCP_MUST_CHECK int launch_rules_labels(const json_t *labels, const char *where,
                                        struct vmcp_error *err);

#endif
