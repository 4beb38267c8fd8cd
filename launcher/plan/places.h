/* SPDX-License-Identifier: Apache-2.0 */
/* places.h - whose resources a body uses: networks, policies, storage pools, reservations, keys.
 *
 * Those of our own project may be used; another project's only where the operator named it
 * (--allow-resource-project). Images, snapshots and disks have bounds of their own (policy.h).
 */
#ifndef LAUNCH_PLACES_H
#define LAUNCH_PLACES_H

#include <jansson.h>

#include "lib/error.h"
#include "settings.h"

/* Every resource that the body names. VMCP_E_POLICY, with the flag that would allow it. */
VMCP_MUST_CHECK int launch_places_check(const json_t *body, const struct launch_settings *settings,
                                        struct vmcp_error *err);

/* One of them, named `text` (NULL: none) at `where` in the body. */
VMCP_MUST_CHECK int launch_place_check(const char *text, const char *where,
                                       const struct launch_settings *settings,
                                       struct vmcp_error *err);

#endif
