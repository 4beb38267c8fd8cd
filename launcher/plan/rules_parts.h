/* SPDX-License-Identifier: Apache-2.0 */
/* rules_parts.h - the rules, part by part. rules.c asks them; they ask only rules_text.h. */
#ifndef LAUNCH_RULES_PARTS_H
#define LAUNCH_RULES_PARTS_H

#include <jansson.h>
#include <stdint.h>

#include "lib/error.h"

/* `image_gb` is the size of the boot image (0: not known). Each: VMCP_E_PLAN, with the path of the
 * first fault in err->where. */
VMCP_MUST_CHECK int launch_rules_disks(const json_t *disks, int64_t image_gb,
                                       struct vmcp_error *err);
VMCP_MUST_CHECK int launch_rules_network(const json_t *interfaces, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_rules_running(const json_t *body, struct vmcp_error *err);

#endif
