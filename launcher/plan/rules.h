/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - what Compute Engine would refuse, refused before anything is sent.
 *
 * The schema says which fields there are and of which type; the rules say which values they may
 * have, alone and together. They run on the final body, after the schema.
 */
#ifndef LAUNCH_RULES_H
#define LAUNCH_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* `image_gb` is the size of the boot image (0: not known). VMCP_E_PLAN, with the path of the first
 * fault in err->where. */
VMCP_MUST_CHECK int launch_rules_check(const json_t *body, int64_t image_gb,
                                       struct vmcp_error *err);

/* The parts, for rules.c. */
VMCP_MUST_CHECK int launch_rules_disks(const json_t *disks, int64_t image_gb,
                                       struct vmcp_error *err);
VMCP_MUST_CHECK int launch_rules_network(const json_t *interfaces, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_rules_running(const json_t *body, struct vmcp_error *err);

/* Labels of an instance or a disk (NULL: none): at most 64 of [a-z][a-z0-9_-]{0,62} to
 * [a-z0-9_-]{0,63}. */
VMCP_MUST_CHECK int launch_rules_labels(const json_t *labels, const char *where,
                                        struct vmcp_error *err);

/* A member's string; "" where it is not there. */
const char *launch_rules_text(const json_t *object, const char *member);

#endif
