/* SPDX-License-Identifier: Apache-2.0 */
/* pkcs11.h - keys on PKCS#11 tokens, named by URIs (RFC 7512), through OpenSSL's engine "pkcs11"
 * (Debian: libengine-pkcs11-openssl).
 *
 * The token's module is the URI's module-path, else what PKCS11_MODULE_PATH names, else p11-kit's
 * list; one process uses one module. RSA and P-256; the engine knows no Ed25519. The PIN is the
 * URI's pin-value or pin-source, else the passphrase.
 */
#ifndef VMCP_PKCS11_H
#define VMCP_PKCS11_H

#include <stdbool.h>

#include "error.h"
#include "key.h"
#include "store.h"

/* Open the private key that `uri` names; where `want_private` is not set, the public one will do.
 * Errors: VMCP_E_KEY_DEVICE, VMCP_E_PASSPHRASE, VMCP_E_KEY_UNSUPPORTED. */
VMCP_MUST_CHECK int vmcp_pkcs11_open(const char *uri, bool want_private, struct vmcp_ask *ask,
                                     struct vmcp_key **ret, struct vmcp_error *err);

#endif
