/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the first key in what OpenSSL's OSSL_STORE reads: bytes of a file, or a provider's URI.
 */
#ifndef VMCP_STORE_H
#define VMCP_STORE_H

#include <openssl/evp.h>
#include <openssl/ui.h>
#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "error.h"
#include "passphrase.h"

/* A question for a passphrase on its way through OpenSSL, and what became of it. */
struct vmcp_ask {
    struct vmcp_passphrase *pass; /* NULL: none can be had */
    const char *what;             /* "the passphrase of cfg.key" */
    bool asked;
    struct vmcp_error err; /* if it was asked and could not be had; else its code is VMCP_OK */
};

/* A UI_METHOD that asks a struct vmcp_ask, which goes beside it as its user data. NULL: no memory.
 * UI_destroy_method(). */
UI_METHOD *vmcp_ask_ui(void);

/* Read the first key from `data`, or from `uri` where that is not NULL; other objects are passed
 * over. False if there is none: then ask->asked tells whether a passphrase was the matter. *ret is
 * new, EVP_PKEY_free(). */
bool vmcp_store_read(OSSL_LIB_CTX *libctx, const char *props, const char *uri, const char *data,
                     size_t len, struct vmcp_ask *ask, EVP_PKEY **ret, bool *ret_private);

VMCP_DEFINE_AUTO(vmcp_ui_auto_, UI_METHOD *, UI_destroy_method)
#define auto_ui VMCP_AUTO(vmcp_ui_auto_)

#endif
