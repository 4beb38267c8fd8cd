/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct vmcp_device {
    atomic_int refs;
    EVP_PKEY *pkey;
    struct vmcp_device_home home;
    pthread_mutex_t lock;
};

int vmcp_device_new(EVP_PKEY *pkey, const struct vmcp_device_home *home, struct vmcp_device **ret,
                    struct vmcp_error *err)
{
    auto_free struct vmcp_device *device = calloc(1, sizeof(*device));
    if (!device || pthread_mutex_init(&device->lock, NULL) != 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    device->refs = 1;
    device->pkey = pkey;
    device->home = *home;
    *ret = steal(&device);
    return 0;
}

struct vmcp_device *vmcp_device_ref(struct vmcp_device *device)
{
    atomic_fetch_add(&device->refs, 1);
    return device;
}

void vmcp_device_unref(struct vmcp_device *device)
{
    if (!device || atomic_fetch_sub(&device->refs, 1) != 1)
        return;
    EVP_PKEY_free(device->pkey);
    device->home.close(device->home.handle);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

EVP_PKEY *vmcp_device_lock(struct vmcp_device *device, OSSL_LIB_CTX **ret_libctx,
                           const char **ret_props)
{
    pthread_mutex_lock(&device->lock);
    *ret_libctx = device->home.libctx;
    *ret_props = device->home.props;
    return device->pkey;
}

void vmcp_device_unlock(struct vmcp_device *device)
{
    pthread_mutex_unlock(&device->lock);
}

int vmcp_device_public(EVP_PKEY *pkey, EVP_PKEY **ret, struct vmcp_error *err)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    const unsigned char *at = der;
    *ret = len > 0 ? d2i_PUBKEY(NULL, &at, len) : NULL;
    OPENSSL_free(der);
    ERR_clear_error();
    return *ret ? 0
                : vmcp_fail(err, VMCP_E_KEY_DEVICE,
                            "the key's public half cannot be read; a token must hold it beside the "
                            "private one, with the same id");
}
