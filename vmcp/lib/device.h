/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - the private half of a key that does not leave its hardware: a PKCS#11 token or a TPM.
 *
 * What OpenSSL gives for such a key is a handle: it signs, slowly and one request at a time, and
 * answers few other questions. So a key has its public half beside it in software (key.h), and the
 * handle is only ever asked to sign, under a lock.
 */
#ifndef VMCP_DEVICE_H
#define VMCP_DEVICE_H

#include <openssl/evp.h>

#include "auto.h"
#include "error.h"

struct vmcp_device;

/* What keeps the handle alive: closed after it. */
struct vmcp_device_home {
    OSSL_LIB_CTX *libctx; /* whose algorithms sign; NULL: the default one */
    const char *props;    /* which of them; static, may be NULL */
    void (*close)(void *handle);
    void *handle;
};

/* Takes `pkey` and the home, on success only. *ret is new and counted. */
VMCP_MUST_CHECK int vmcp_device_new(EVP_PKEY *pkey, const struct vmcp_device_home *home,
                                    struct vmcp_device **ret, struct vmcp_error *err);
struct vmcp_device *vmcp_device_ref(struct vmcp_device *device);
void vmcp_device_unref(struct vmcp_device *device); /* NULL is fine */

/* The handle, borrowed, nobody else's until vmcp_device_unlock(). */
EVP_PKEY *vmcp_device_lock(struct vmcp_device *device, OSSL_LIB_CTX **ret_libctx,
                           const char **ret_props);
void vmcp_device_unlock(struct vmcp_device *device);

/* The public half of a handle as a key in software; new, EVP_PKEY_free(). */
VMCP_MUST_CHECK int vmcp_device_public(EVP_PKEY *pkey, EVP_PKEY **ret, struct vmcp_error *err);

VMCP_DEFINE_AUTO(vmcp_device_auto_, struct vmcp_device *, vmcp_device_unref)
#define auto_device VMCP_AUTO(vmcp_device_auto_)

#endif
