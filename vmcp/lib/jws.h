/* SPDX-License-Identifier: Apache-2.0 */
/* jws.h - JSON Web Signature, compact serialization only (RFC 7515).
 *
 * Signing makes {"alg","kid","typ"} headers and nothing else. Reading takes three parts of strict
 * base64url around strict JSON objects, and refuses every header that could choose a key or change
 * the meaning of the signature. Reading alone proves nothing: vmcp_jws_check() does, with a key
 * that the caller chose.
 *
 *     auto_jws struct vmcp_jws jws = {0};
 *     if (vmcp_jws_parse(text, len, &jws, &err) < 0 || vmcp_jws_check(&jws, key, &err) < 0)
 *         ... refuse
 */
#ifndef VMCP_JWS_H
#define VMCP_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "buf.h"
#include "error.h"
#include "key.h"
#include "limits.h"
#include "sign.h"

/* Sign `payload` (`len` bytes). `kid` NULL: none; `typ` NULL: none. *ret_jws is a new string,
 * free(). Errors as vmcp_sign(). */
VMCP_MUST_CHECK int vmcp_jws_sign(const struct vmcp_key *key, const struct vmcp_alg *alg,
                                  const char *typ, const char *kid, const char *payload, size_t len,
                                  char **ret_jws, struct vmcp_error *err);

/* Append the protected header, in base64url. `typ` and `kid` may be NULL. */
VMCP_MUST_CHECK int vmcp_jws_header(const struct vmcp_alg *alg, const char *typ, const char *kid,
                                    struct vmcp_buf *ret, struct vmcp_error *err);

/* The same as vmcp_jws_sign(), for a header and the beginning of a payload that were encoded
 * before: `begin` is base64url of a multiple of three bytes (vmcp_jws_encode()), `payload` the
 * rest. */
VMCP_MUST_CHECK int vmcp_jws_sign_rest(const struct vmcp_key *key, const struct vmcp_alg *alg,
                                       const struct vmcp_buf *header, const struct vmcp_buf *begin,
                                       const char *payload, size_t len, char **ret_jws,
                                       struct vmcp_error *err);

/* Append the base64url of `len` bytes, without padding. */
void vmcp_jws_encode(struct vmcp_buf *b, const void *data, size_t len);

struct vmcp_jws {
    json_t *header;             /* object, owned */
    json_t *payload;            /* object, owned; not authenticated before vmcp_jws_check() */
    const struct vmcp_alg *alg; /* of the header; NULL if it is not in the table */
    const char *typ;            /* borrowed from header; NULL if absent */
    const char *kid;            /* borrowed from header; NULL if absent */
    const char *signing_input;  /* borrowed from the caller's text */
    size_t signing_input_len;
    uint8_t *signature; /* owned */
    size_t signature_len;
};

/* Take a token apart. `text` is borrowed and must outlive *ret. Errors: VMCP_E_ANSWER_TOO_LARGE,
 * VMCP_E_ANSWER_MALFORMED, VMCP_E_ALG (not in the table), VMCP_E_HEADER (`crit`, `jwk`, `jku`,
 * `x5c`, `x5u`, `x5t`, `x5t#S256`, `zip`, `b64` are never accepted). With `want_typ`, a header
 * whose `typ` differs from it is VMCP_E_TYP, checked before `alg`. */
VMCP_MUST_CHECK int vmcp_jws_parse(const char *text, size_t len, const char *want_typ,
                                   struct vmcp_jws *ret, struct vmcp_error *err);

VMCP_MUST_CHECK int vmcp_jws_check(const struct vmcp_jws *jws, const struct vmcp_key *key,
                                   struct vmcp_error *err);

void vmcp_jws_clear(struct vmcp_jws *jws);
#define auto_jws VMCP_AUTO(vmcp_jws_clear)

#endif
