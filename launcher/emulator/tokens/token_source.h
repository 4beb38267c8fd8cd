/* SPDX-License-Identifier: Apache-2.0 */
/* token_source.h - tokens that come from elsewhere: real ones, for whoever asks from outside the
 * VMs. (Those of VMs are always made here, so that no guest ever holds a real one.)
 *
 *   key:FILE   a service-account key: the JWT bearer grant at its token_uri (RFC 7523)
 *   gcloud     `gcloud auth print-access-token` and `print-identity-token`, as its user is logged
 * in env        GOOGLE_ACCESS_TOKEN and GOOGLE_ID_TOKEN, as they are
 *
 * Getting one takes its time, so one thread does it and a request that needs it is put aside:
 *
 *     switch (emu_token_source_get(source, EMU_WANT_ACCESS, scopes, &token, &left, &err)) {
 *     case EMU_TOKEN_PENDING: reply->wait_until = …;   called again when there is an answer
 *
 * What was got is handed out again while it lives.
 */
#ifndef EMU_TOKEN_SOURCE_H
#define EMU_TOKEN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/persona.h"
#include "lib/error.h"

enum emu_want { EMU_WANT_ACCESS, EMU_WANT_IDENTITY };
enum emu_token_state { EMU_TOKEN_READY, EMU_TOKEN_PENDING, EMU_TOKEN_FAILED };

struct emu_token_source;

/* Begin with a source. `local`, which is none of these, leaves *ret NULL. What the source knows of
 * whose tokens they are goes into *ret_persona. Errors: VMCP_E_USAGE for no such source, and what
 * reading a key says. */
VMCP_MUST_CHECK int emu_token_source_new(const char *spec, struct emu_token_source **ret,
                                         struct emu_persona *ret_persona, struct vmcp_error *err);
/* Start its thread, which calls `wake` whenever something was got or failed. */
VMCP_MUST_CHECK int emu_token_source_start(struct emu_token_source *source, void (*wake)(void *arg),
                                           void *arg, struct vmcp_error *err);
/* End its thread: nobody is woken any more. Requests may still come. */
void emu_token_source_stop(struct emu_token_source *source);
void emu_token_source_free(struct emu_token_source *source);

/* An access token for `what`, scopes with spaces between them, or an identity token for the
 * audience `what`. *ret_token is new, to be wiped and freed; *ret_left is the seconds that it
 * lives. A failure is forgotten after a second. */
enum emu_token_state emu_token_source_get(struct emu_token_source *source, enum emu_want want,
                                          const char *what, char **ret_token, int64_t *ret_left,
                                          struct vmcp_error *err);

/* Overwrite and free a token; NULL is fine. */
void emu_token_wipe(char *token);

/* What a kind of source does. */
struct emu_fetched {
    char *token;     /* new */
    int64_t expires; /* seconds since 1970 */
};
struct emu_token_kind {
    const char *name;
    int64_t margin; /* seconds: not handed out with less left */
    bool one_scope; /* its access tokens are the same whatever the scopes */
    int (*open)(const char *spec, void **ret_state, struct emu_persona *ret_persona,
                struct vmcp_error *err);
    int (*fetch)(void *state, enum emu_want want, const char *what, struct emu_fetched *ret,
                 struct vmcp_error *err);
    void (*stop)(void *state); /* end a fetch that is under way, from another thread; NULL: none */
    void (*close)(void *state);
};
extern const struct emu_token_kind emu_token_env, emu_token_gcloud, emu_token_key;

/* When an identity token expires, by its own word; in five minutes where it cannot be read. */
int64_t emu_token_expiry(const char *jwt);

#endif
