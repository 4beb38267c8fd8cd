/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

/* Its provider, and OpenSSL's own for what no TPM does: both belong to the context. */
struct tpm {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *own, *tpm2;
};

static void tpm_close(void *handle)
{
    struct tpm *tpm = handle;
    if (tpm->tpm2)
        OSSL_PROVIDER_unload(tpm->tpm2);
    if (tpm->own)
        OSSL_PROVIDER_unload(tpm->own);
    OSSL_LIB_CTX_free(tpm->libctx);
    free(tpm);
}

VMCP_DEFINE_AUTO(tpm_auto, struct tpm *, tpm_close)
#define auto_tpm VMCP_AUTO(tpm_auto)

static int tpm_new(struct tpm **ret, struct vmcp_error *err)
{
    auto_tpm struct tpm *tpm = calloc(1, sizeof(*tpm));
    if (tpm)
        tpm->libctx = OSSL_LIB_CTX_new();
    if (!tpm || !tpm->libctx)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    tpm->own = OSSL_PROVIDER_load(tpm->libctx, "default");
    tpm->tpm2 = OSSL_PROVIDER_load(tpm->libctx, "tpm2");
    ERR_clear_error();
    if (!tpm->own || !tpm->tpm2)
        return vmcp_fail(err, VMCP_E_KEY_DEVICE,
                         "the OpenSSL provider \"tpm2\" cannot be loaded: its package "
                         "(tpm2-openssl) is missing, or there is no TPM that may be used here");
    *ret = steal(&tpm);
    return 0;
}

bool vmcp_tpm_is_pem(const char *data, size_t len)
{
    static const char begin[] = "-----BEGIN TSS2 PRIVATE KEY-----";
    return memmem(data, len, begin, strlen(begin)) != NULL;
}

static int not_found(const char *uri, const struct vmcp_ask *ask, struct vmcp_error *err)
{
    if (ask->asked && ask->err.code)
        return vmcp_fail_at(err, ask->err.code, ask->err.where, "%s", ask->err.text);
    if (ask->asked)
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "the TPM refuses the key with this passphrase");
    return vmcp_fail(err, VMCP_E_KEY_DEVICE, "%s",
                     uri ? "there is no such key in this TPM"
                         : "this TPM does not load the key: it was made for another one, or its "
                           "parent is gone");
}

int vmcp_tpm_open(const char *uri, const char *data, size_t len, struct vmcp_ask *ask,
                  struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_tpm struct tpm *tpm = NULL;
    auto_device struct vmcp_device *device = NULL;
    EVP_PKEY *pkey = NULL;
    bool is_private = false;
    int rc = tpm_new(&tpm, err);
    if (rc < 0)
        return rc;
    bool found = vmcp_store_read(tpm->libctx, NULL, uri, data, len, ask, &pkey, &is_private);
    ERR_clear_error();
    if (!found)
        return not_found(uri, ask, err);
    const struct vmcp_device_home home = {
        .libctx = tpm->libctx, .props = "?provider=tpm2", .close = tpm_close, .handle = tpm};
    rc = vmcp_device_new(pkey, &home, &device, err);
    if (rc < 0) {
        EVP_PKEY_free(pkey);
        return rc;
    }
    tpm = NULL; /* the device's now */
    rc = vmcp_key_wrap_device(device, ret, err);
    if (rc == 0)
        device = NULL; /* the key's now */
    return rc;
}
