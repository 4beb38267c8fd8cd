/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - --check: what a start would do beyond loading, without disturbing a server that runs.
 */
#ifndef SRV_CHECK_H
#define SRV_CHECK_H

#include "lib/error.h"
#include "settings.h"
#include "snapshot.h"

/* `snapshot` was loaded. Could it answer at the places of --listen, --metrics and --control, write
 * its access log, and enter its sandbox? What cannot be told, as a port that is in use, is a
 * warning on standard error. Errors: the first of what a start would end with. */
VMCP_MUST_CHECK int srv_check(const struct srv_settings *settings,
                              const struct srv_snapshot *snapshot, struct vmcp_error *err);

#endif
