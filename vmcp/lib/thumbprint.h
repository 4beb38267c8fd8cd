/* SPDX-License-Identifier: Apache-2.0 */
/* thumbprint.h - the name of a public key, and the members that it is made of (RFC 7638).
 *
 * Knows OpenSSL's keys only, so that key.h can stand on it.
 */
#ifndef VMCP_THUMBPRINT_H
#define VMCP_THUMBPRINT_H

#include <jansson.h>
#include <openssl/evp.h>

#include "error.h"
#include "limits.h"

/* The members that section 3.2 hashes, and nothing else, of an Ed25519, P-256 or RSA key. *ret is a
 * new reference. Errors: VMCP_E_CRYPTO. */
VMCP_MUST_CHECK int vmcp_pkey_members(EVP_PKEY *pkey, json_t **ret, struct vmcp_error *err);

/* Section 3: those members, sorted, without white space, hashed with SHA-256, in base64url. */
VMCP_MUST_CHECK int vmcp_pkey_thumbprint(EVP_PKEY *pkey, char ret[static VMCP_THUMBPRINT_LEN + 1],
                                         struct vmcp_error *err);

#endif
