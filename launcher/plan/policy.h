/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - the bounds of VM-1's operator: a signature is not a blank cheque.
 *
 * All checks run on the final body, the one that is sent, after it was found to follow the schema.
 */
#ifndef LAUNCH_POLICY_H
#define LAUNCH_POLICY_H

#include <jansson.h>
#include <stdint.h>

#include "lib/error.h"
#include "settings.h"

/* Service accounts, external addresses, where images, snapshots and disks come from, what is
 * deleted with the VM, machine types, other projects' resources, encryption keys. VMCP_E_POLICY,
 * with the flag that would allow it; VMCP_E_PLAN for an image reference that cannot be read. */
VMCP_MUST_CHECK int launch_policy_check(const json_t *body, const struct launch_settings *settings,
                                        struct vmcp_error *err);

/* May an image come from this project? VMCP_E_POLICY. */
VMCP_MUST_CHECK int launch_policy_project(const char *project,
                                          const struct launch_settings *settings,
                                          struct vmcp_error *err);

/* No metadata value may hold a private key: VMCP_E_PRIVATE_KEY, with the metadata key. */
VMCP_MUST_CHECK int launch_policy_secrets(const json_t *body, const struct vmcp_list *allowed,
                                          struct vmcp_error *err);

/* VMCP_E_POLICY over --max-count. */
VMCP_MUST_CHECK int launch_policy_count(int64_t count, const struct launch_settings *settings,
                                        struct vmcp_error *err);

#endif
