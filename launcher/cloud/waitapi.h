/* SPDX-License-Identifier: Apache-2.0 */
/* waitapi.h - wait until a TCP port answers. An open port proves nothing about who answers. */
#ifndef LAUNCH_WAITAPI_H
#define LAUNCH_WAITAPI_H

#include "lib/error.h"
#include "report.h"

/* Try to connect to `ip` (an address literal) until it works or `timeout` seconds are over:
 * VMCP_E_TIMEOUT. */
VMCP_MUST_CHECK int launch_wait_port(const struct launch_report *report, const char *ip, int port,
                                     int timeout, struct vmcp_error *err);

#endif
