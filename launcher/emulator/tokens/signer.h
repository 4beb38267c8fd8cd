/* SPDX-License-Identifier: Apache-2.0 */
/* signer.h - the RSA keys that this cloud signs with itself: Google's own for identity tokens, and
 * one for each service account, which nobody ever sees (signJwt, signBlob).
 *
 * A key is made when it is first needed and kept with the state, so that what was signed before a
 * restart verifies after it. They are worth nothing elsewhere.
 *
 *     auto_signer struct emu_signer signer = {0};
 *     if (emu_signer_get(store, EMU_SIGNER_GOOGLE, &signer, &err) < 0) ...
 */
#ifndef EMU_SIGNER_H
#define EMU_SIGNER_H

#include <jansson.h>

#include "accounts.h"
#include "lib/error.h"
#include "lib/key.h"
#include "resources/store.h"

#define EMU_SIGNER_GOOGLE "federated-signon.system.gserviceaccount.com"

struct emu_signer {
    struct vmcp_key *key; /* with its private half */
    char kid[EMU_KID_LEN + 1];
};

/* The key of `owner`: EMU_SIGNER_GOOGLE, or the address of an account that exists, whose keys
 * (accounts.h) then have it too. *ret is to be cleared. */
VMCP_MUST_CHECK int emu_signer_get(struct emu_store *store, const char *owner,
                                   struct emu_signer *ret, struct vmcp_error *err);
void emu_signer_clear(struct emu_signer *signer);
#define auto_signer VMCP_AUTO(emu_signer_clear)

/* What others verify with: {KID: certificate in PEM}, and a JWK set (RFC 7517) with `alg`. New
 * references. */
VMCP_MUST_CHECK int emu_signer_certificates(struct emu_store *store, const char *owner,
                                            json_t **ret, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_signer_jwks(struct emu_store *store, const char *owner, json_t **ret,
                                    struct vmcp_error *err);

#endif
