/* SPDX-License-Identifier: Apache-2.0 */
/* sign.h - signatures over bytes, by the JOSE names of their algorithms (RFC 7518, 8037, 9864).
 *
 *   EdDSA, Ed25519   Ed25519                    64 bytes
 *   ES256            P-256 with SHA-256         64 bytes, r || s
 *   RS256, RS512     RSASSA-PKCS1-v1_5          as long as the modulus
 *   PS256            RSASSA-PSS, 32-byte salt   as long as the modulus
 *
 * There are no others: no `none`, no HMAC.
 */
#ifndef VMCP_SIGN_H
#define VMCP_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "key.h"
#include "limits.h"

struct vmcp_alg;

/* NULL for a name that is not in the table (names are case-sensitive). */
const struct vmcp_alg *vmcp_alg_find(const char *name);
/* EdDSA, ES256 or PS256, by the key's type. */
const struct vmcp_alg *vmcp_alg_default(const struct vmcp_key *key);
const char *vmcp_alg_name(const struct vmcp_alg *alg);
bool vmcp_alg_fits(const struct vmcp_alg *alg, const struct vmcp_key *key);

/* Sign `len` bytes. Errors: VMCP_E_KEY_PUBLIC_ONLY, VMCP_E_KEY_MISMATCH, VMCP_E_CRYPTO. */
VMCP_MUST_CHECK int vmcp_sign(const struct vmcp_key *key, const struct vmcp_alg *alg,
                              const void *data, size_t len,
                              uint8_t ret_sig[VMCP_AT_LEAST(VMCP_SIGNATURE_MAX)],
                              size_t *ret_sig_len, struct vmcp_error *err);

/* 0 if the signature is good. Errors: VMCP_E_SIGNATURE, VMCP_E_KEY_MISMATCH, VMCP_E_CRYPTO. */
VMCP_MUST_CHECK int vmcp_sign_check(const struct vmcp_key *key, const struct vmcp_alg *alg,
                                    const void *data, size_t len, const uint8_t *sig,
                                    size_t sig_len, struct vmcp_error *err);

#endif
