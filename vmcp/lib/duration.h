/* SPDX-License-Identifier: Apache-2.0 */
/* duration.h - lengths of time as Google's APIs write them in JSON: "180s", "0.5s". */
#ifndef VMCP_DURATION_H
#define VMCP_DURATION_H

#include <stdint.h>

#include "error.h"

/* Seconds with up to nine decimals, and an `s`; not negative, at most 315,576,000,000 s, which is
 * all that the APIs take. *ret_ms is in milliseconds, what is finer is cut. Errors: VMCP_E_USAGE.
 */
VMCP_MUST_CHECK int vmcp_duration_parse(const char *text, int64_t *ret_ms, struct vmcp_error *err);

#endif
