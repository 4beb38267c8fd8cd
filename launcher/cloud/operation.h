/* SPDX-License-Identifier: Apache-2.0 */
/* operation.h - a zone operation, followed to its end.
 *
 * DONE does not mean success: the operation's `error` does.
 */
#ifndef LAUNCH_OPERATION_H
#define LAUNCH_OPERATION_H

#include <jansson.h>
#include <stdbool.h>

#include "compute.h"
#include "lib/error.h"

/* Follow the operation `op` (an Operation object, as an insert answers it) in `zone` for at most
 * `timeout` seconds. Success: it is DONE without an error. Errors: VMCP_E_OPERATION with its first
 * error's code and message; VMCP_E_TIMEOUT while it still runs; VMCP_E_API for what is no
 * operation; those of launch_compute_call(). *ret_code (NULL: not wanted), 64 bytes, is the first
 * error's code, else "". */
VMCP_MUST_CHECK int launch_operation_follow(const struct launch_compute *compute, const char *zone,
                                            const json_t *op, int timeout, char *ret_code,
                                            struct vmcp_error *err);

/* The zone's operation with this clientOperationId (our requestId). *ret is a new reference, NULL
 * with success where there is none. */
VMCP_MUST_CHECK int launch_operation_find(const struct launch_compute *compute, const char *zone,
                                          const char *request_id, json_t **ret,
                                          struct vmcp_error *err);

#endif
