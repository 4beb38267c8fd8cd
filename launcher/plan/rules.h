/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - what Compute Engine would refuse, refused before anything is sent.
 *
 * The schema says which fields there are and of which type; the rules say which values they may
 * have, alone and together. They run on the final body, after the schema.
 */
#ifndef LAUNCH_RULES_H
#define LAUNCH_RULES_H

#include <jansson.h>
#include <stdint.h>

#include "lib/error.h"

/* `image_gb` is the size of the boot image (0: not known). VMCP_E_PLAN, with the path of the first
 * fault in err->where. */
VMCP_MUST_CHECK int launch_rules_check(const json_t *body, int64_t image_gb,
                                       struct vmcp_error *err);

#endif
