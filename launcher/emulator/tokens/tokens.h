/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.h - access tokens: minted here, accepted here, worthless elsewhere.
 *
 * The state keeps their digests only. What the metadata server hands out again and again is kept
 * in memory until 240 s before it expires, so that clients see expires_in count down.
 */
#ifndef EMU_TOKENS_H
#define EMU_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts.h"
#include "lib/error.h"
#include "resources/store.h"

#define EMU_SCOPE "https://www.googleapis.com/auth/"

enum { EMU_TOKEN_MAX = 255, EMU_SCOPES_MAX = 4096, EMU_TOKEN_LIFE = 3600 };

struct emu_tokens;

VMCP_MUST_CHECK int emu_tokens_new(struct emu_store *store, struct emu_tokens **ret,
                                   struct vmcp_error *err);
void emu_tokens_free(struct emu_tokens *tokens);

/* Mint a token for an account with `scopes`, separated by single spaces, good for `life` seconds.
 * `ret` holds a secret. */
VMCP_MUST_CHECK int emu_tokens_mint(struct emu_tokens *tokens, const char *email,
                                    const char *scopes, int64_t life,
                                    char ret[static EMU_TOKEN_MAX + 1], struct vmcp_error *err);

/* The same, but the token handed out before while it has more than 240 s to live. *ret_left is the
 * seconds left. */
VMCP_MUST_CHECK int emu_tokens_get(struct emu_tokens *tokens, const char *email, const char *scopes,
                                   char ret[static EMU_TOKEN_MAX + 1], int64_t *ret_left,
                                   struct vmcp_error *err);

/* Whose token is it? *ret_found is false for one that is unknown or expired; otherwise the account
 * and its scopes are filled. */
VMCP_MUST_CHECK int emu_tokens_check(struct emu_tokens *tokens, const char *token, bool *ret_found,
                                     char ret_email[static EMU_EMAIL_MAX + 1],
                                     char ret_scopes[static EMU_SCOPES_MAX + 1],
                                     struct vmcp_error *err);
/* When a token that was found expires, in seconds since 1970; 0: it has gone. */
VMCP_MUST_CHECK int emu_tokens_expiry(struct emu_tokens *tokens, const char *token, int64_t *ret,
                                      struct vmcp_error *err);

/* True if one of the space-separated `scopes` is `scope`, written in full. */
bool emu_scopes_have(const char *scopes, const char *scope);

#endif
