/* SPDX-License-Identifier: Apache-2.0 */
/* assertion.h - JWTs that a service-account key signed (RFC 7523), and when they are good.
 *
 * Two uses: as the assertion of the JWT bearer grant at /token, and as the bearer itself on the
 * API (AIP-4111).
 */
#ifndef EMU_ASSERTION_H
#define EMU_ASSERTION_H

#include "accounts.h"
#include "hosts.h"
#include "identity.h"
#include "lib/error.h"
#include "resources/store.h"
#include "tokens.h"

enum { EMU_ASSERTION_MAX = 16 * 1024 };

enum emu_assertion_use { EMU_ASSERTION_GRANT, EMU_ASSERTION_BEARER };

/* Why an assertion is refused, in the words of Google's token endpoint. */
struct emu_oauth_error {
    int status;
    const char *error; /* a literal: "invalid_grant" */
    char description[256];
};

/* What a good one says. */
struct emu_assertion {
    char email[EMU_EMAIL_MAX + 1];
    char scopes[EMU_SCOPES_MAX + 1];     /* separated by single spaces; a bearer with `aud` has
                                            cloud-platform */
    char audience[EMU_AUDIENCE_MAX + 1]; /* a grant's target_audience: it wants an identity token
                                            and has no scopes; "" otherwise */
};

struct emu_assertion_context {
    struct emu_store *store;
    const struct emu_hosts *hosts; /* our own names */
    int64_t now;                   /* seconds since 1970 */
};

/* Check it. 0, or -1 and *err. */
VMCP_MUST_CHECK int emu_assertion_check(const struct emu_assertion_context *context,
                                        enum emu_assertion_use use, const char *jwt,
                                        struct emu_assertion *ret, struct emu_oauth_error *err);

/* Fill *err and return -1. */
int emu_oauth_fail(struct emu_oauth_error *err, int status, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
