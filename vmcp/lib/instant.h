/* SPDX-License-Identifier: Apache-2.0 */
/* instant.h - points in time as people write and read them (RFC 3339), seconds since 1970 inside.
 */
#ifndef VMCP_INSTANT_H
#define VMCP_INSTANT_H

#include <stdint.h>

#include "error.h"

enum { VMCP_INSTANT_CHARS = 32, VMCP_SPAN_CHARS = 32 };

/* "2026-11-20T05:00:00Z", always UTC. Beyond the year 9999, which RFC 3339 cannot say, "@SECONDS".
 */
void vmcp_instant_text(int64_t at, char ret[VMCP_AT_LEAST(VMCP_INSTANT_CHARS)]);

/* A length of time, in the unit that suits it and without a fraction: "45 s", "12 min", "26 h",
 * "9 days". A negative one reads as 0 s. */
void vmcp_span_text(int64_t seconds, char ret[VMCP_AT_LEAST(VMCP_SPAN_CHARS)]);

/* Seconds since 1970 (0..VMCP_SERIAL_MAX), or RFC 3339 with `Z` or an offset, from year 1970 to
 * 9999; a fraction of a second counts for nothing. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int vmcp_instant_parse(const char *text, int64_t *ret, struct vmcp_error *err);

#endif
