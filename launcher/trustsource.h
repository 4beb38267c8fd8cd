/* SPDX-License-Identifier: Apache-2.0 */
/* trustsource.h - which keys this run believes.
 *
 * The first source that is there is the whole trust: --trust and --thumbprint, VMCP_TRUST,
 * /etc/vmcp/trust.d, the metadata attribute vmcp-trust. They are not united: a key that was taken
 * out of one place must not come back through another.
 */
#ifndef LAUNCH_TRUSTSOURCE_H
#define LAUNCH_TRUSTSOURCE_H

#include "lib/error.h"
#include "lib/trust.h"
#include "settings.h"

/* *ret_trust is new, vmcp_trust_free(); *ret_source says in words where it came from, new, free().
 * Errors: VMCP_E_TRUST where there is none, or one that is empty or cannot be read. */
VMCP_MUST_CHECK int launch_trust_find(const struct launch_settings *settings, const char *domain,
                                      struct vmcp_trust **ret_trust, char **ret_source,
                                      struct vmcp_error *err);

#endif
