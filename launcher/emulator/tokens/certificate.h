/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.h - self-signed X.509 certificates around our public keys (RFC 5280), the form in
 * which /oauth2/v1/certs publishes them. */
#ifndef EMU_CERTIFICATE_H
#define EMU_CERTIFICATE_H

#include "lib/error.h"
#include "lib/key.h"

/* A certificate of `key`, which has its private half, for the common name `name` (cut at 64
 * characters), good from yesterday for ten years. *ret_pem is a new string, free(). */
VMCP_MUST_CHECK int emu_certificate_make(const struct vmcp_key *key, const char *name,
                                         char **ret_pem, struct vmcp_error *err);

#endif
