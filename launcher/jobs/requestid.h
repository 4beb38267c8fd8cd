/* SPDX-License-Identifier: Apache-2.0 */
/* requestid.h - the name of one attempt, which anybody can compute again: a UUIDv5 (RFC 9562,
 * section 5.5) of domain, job, scheduled time and attempt. After a crash the same attempt is sent
 * with the same id, and a server that knows it does the work once. */
#ifndef LAUNCH_REQUESTID_H
#define LAUNCH_REQUESTID_H

#include <stdint.h>

#include "history.h"
#include "lib/error.h"
#include "lib/limits.h"

/* `schedule_ms`: milliseconds since 1970; `number`: the attempt, from 1. VMCP_E_CRYPTO. */
VMCP_MUST_CHECK int launch_request_id(const struct launch_job_name *name, int64_t schedule_ms,
                                      int number, char ret[static VMCP_JTI_LEN + 1],
                                      struct vmcp_error *err);

#endif
