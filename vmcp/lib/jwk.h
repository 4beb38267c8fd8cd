/* SPDX-License-Identifier: Apache-2.0 */
/* jwk.h - public keys as JSON (RFC 7517, 7518, 8037). */
#ifndef VMCP_JWK_H
#define VMCP_JWK_H

#include <jansson.h>

#include "error.h"
#include "key.h"

/* The public half as a JWK: kty, crv, x, y, n, e as the type wants, `kid` (the thumbprint) and
 * `use`: "sig". *ret is a new reference. */
VMCP_MUST_CHECK int vmcp_jwk_export(const struct vmcp_key *key, json_t **ret,
                                    struct vmcp_error *err);

/* A public key from a JWK (borrowed). Its own `kid` is not believed. Errors: VMCP_E_KEY_UNSUPPORTED
 * for one that was never meant for us: another type, curve or size, a `use` other than "sig",
 * `key_ops` without "verify", another `alg`; VMCP_E_KEY for one with private members, and for what
 * is broken. */
VMCP_MUST_CHECK int vmcp_jwk_import(const json_t *jwk, struct vmcp_key **ret,
                                    struct vmcp_error *err);

#endif
