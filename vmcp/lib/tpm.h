/* SPDX-License-Identifier: Apache-2.0 */
/* tpm.h - keys of a TPM 2, through the OpenSSL provider "tpm2" (Debian: tpm2-openssl).
 *
 * The provider lives in a library context of the key's own: programs that use no such key neither
 * load it nor notice it. Which TPM: TPM2OPENSSL_TCTI, as the provider's manual says.
 */
#ifndef VMCP_TPM_H
#define VMCP_TPM_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "key.h"
#include "store.h"

/* True for the text of a PEM file that only a TPM can load: "TSS2 PRIVATE KEY". */
bool vmcp_tpm_is_pem(const char *data, size_t len);

/* The key that `uri` names (handle:0x81000001, object:PATH), or that is in `data` where `uri` is
 * NULL. Errors: VMCP_E_KEY_DEVICE, VMCP_E_PASSPHRASE, VMCP_E_KEY_UNSUPPORTED. */
VMCP_MUST_CHECK int vmcp_tpm_open(const char *uri, const char *data, size_t len,
                                  struct vmcp_ask *ask, struct vmcp_key **ret,
                                  struct vmcp_error *err);

#endif
