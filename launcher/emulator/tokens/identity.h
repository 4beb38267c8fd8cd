/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - identity tokens: who somebody is, as a JWT that Google's key signs (OpenID Connect
 * Core 1.0, section 2). */
#ifndef EMU_IDENTITY_H
#define EMU_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"
#include "resources/store.h"

enum { EMU_IDENTITY_LIFE = 3600, EMU_AUDIENCE_MAX = 2048 };

struct emu_identity {
    const char *email; /* the account's: `sub` is its unique id */
    const char *audience;
    const char *azp;              /* NULL: the unique id */
    bool with_email;              /* `email` and `email_verified` too */
    const json_t *compute_engine; /* borrowed: the claim google.compute_engine; NULL: none */
};

/* *ret_jwt is a new string, free(). */
VMCP_MUST_CHECK int emu_identity_sign(struct emu_store *store, const struct emu_identity *identity,
                                      char **ret_jwt, struct vmcp_error *err);

#endif
