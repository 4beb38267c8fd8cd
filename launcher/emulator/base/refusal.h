/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - how the Compute API says no: one status, one reason, one sentence.
 *
 *     if (!found)
 *         return emu_refuse(ret, 404, "notFound", "The resource '%s' was not found", path);
 */
#ifndef EMU_REFUSAL_H
#define EMU_REFUSAL_H

#include <stddef.h>

#include "http/server.h"
#include "lib/error.h"

struct emu_refusal {
    int status;           /* 400 to 599 */
    const char *reason;   /* borrowed, a literal: "invalid", "notFound" */
    int retry_after;      /* seconds; 0: not said */
    const char *location; /* borrowed, a literal: "Authorization"; NULL: not said */
    char message[640];    /* cut when too long */
};

/* Fill *ret and return -1. */
int emu_refuse(struct emu_refusal *ret, int status, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Google's "Invalid value for field 'FIELD': 'VALUE'. WHY", 400 `invalid`. Returns -1. A VALUE that
 * is long is cut. */
int emu_refuse_field(struct emu_refusal *ret, const char *field, const char *value, const char *why,
                     ...) __attribute__((format(printf, 4, 5)));

/* A fault of the emulator itself, as 500 `backendError`. Returns -1. */
int emu_refuse_fault(struct emu_refusal *ret, const struct vmcp_error *err);

/* The error envelope of the Compute API. */
void emu_refusal_reply(const struct emu_refusal *refusal, struct http_reply *reply);

#endif
