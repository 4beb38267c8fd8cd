/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - from a good answer to the insert body that is sent.
 *
 *     rc = launch_plan_image(&subject, &ref, &wanted, &err);     which image to look up, if any
 *     rc = launch_plan_make(&subject, zone, 0, &plan, &err);     the body, checked
 *
 * Every check runs on the final body: the schema, the operator's bounds, the net for private keys.
 */
#ifndef LAUNCH_PLAN_H
#define LAUNCH_PLAN_H

#include <stdbool.h>

#include "cloud/image.h"
#include "draft.h"
#include "lib/auto.h"
#include "lib/error.h"

/* The boot disk's image: the `gce` part's, else diskURL, else --image, else the default.
 * *ret_wanted is false where the boot disk comes from a snapshot or is there already. VMCP_E_PLAN
 * for a reference that Compute Engine has not; VMCP_E_POLICY for a project that is not allowed. */
VMCP_MUST_CHECK int launch_plan_image(const struct vmcp_answer *answer,
                                      const struct launch_settings *settings,
                                      struct launch_image_ref *ret, bool *ret_wanted,
                                      struct vmcp_error *err);

/* Make the plan of VM `number` (0: the only one) in `zone`. *ret is cleared with
 * launch_plan_clear(). Errors: VMCP_E_PLAN, VMCP_E_POLICY, VMCP_E_PRIVATE_KEY. */
VMCP_MUST_CHECK int launch_plan_make(const struct launch_subject *subject, const char *zone,
                                     int64_t number, struct launch_plan *ret,
                                     struct vmcp_error *err);

/* For people: each member of the body, and where it comes from, on stderr. */
void launch_plan_print(const struct launch_plan *plan);

void launch_plan_clear(struct launch_plan *plan);
#define auto_plan VMCP_AUTO(launch_plan_clear)

#endif
