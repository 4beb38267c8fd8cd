/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <string.h>

enum { OBJECTS_MAX = 16 }; /* looked at for a key: parameters, certificates, … */

VMCP_DEFINE_AUTO(bio_auto, BIO *, BIO_free_all)
VMCP_DEFINE_AUTO(info_auto, OSSL_STORE_INFO *, OSSL_STORE_INFO_free)
#define auto_bio  VMCP_AUTO(bio_auto)
#define auto_info VMCP_AUTO(info_auto)

/* OpenSSL would ask the terminal by itself, and standard input where there is none. */
static int answer(char *buf, int size, int rwflag, void *arg)
{
    struct vmcp_ask *ask = arg;
    (void)rwflag;
    ask->asked = true;
    if (!ask->pass)
        return -1;
    if (vmcp_passphrase_get(ask->pass, ask->what, &ask->err) < 0)
        return -1;
    if (ask->pass->len > (size_t)size)
        return -1;
    memcpy(buf, ask->pass->text, ask->pass->len);
    return (int)ask->pass->len;
}

UI_METHOD *vmcp_ask_ui(void)
{
    return UI_UTIL_wrap_read_pem_callback(answer, 0);
}

static bool take(OSSL_STORE_INFO *info, EVP_PKEY **ret, bool *ret_private)
{
    switch (OSSL_STORE_INFO_get_type(info)) {
    case OSSL_STORE_INFO_PKEY:
        *ret = OSSL_STORE_INFO_get1_PKEY(info);
        *ret_private = true;
        return *ret != NULL;
    case OSSL_STORE_INFO_PUBKEY:
        *ret = OSSL_STORE_INFO_get1_PUBKEY(info);
        *ret_private = false;
        return *ret != NULL;
    default:
        return false;
    }
}

bool vmcp_store_read(OSSL_LIB_CTX *libctx, const char *props, const char *uri, const char *data,
                     size_t len, struct vmcp_ask *ask, EVP_PKEY **ret, bool *ret_private)
{
    auto_ui UI_METHOD *ui = vmcp_ask_ui();
    auto_bio BIO *bio = uri ? NULL : BIO_new_mem_buf(data, (int)len);
    OSSL_STORE_CTX *store = NULL;
    bool found = false;
    if (ui && uri)
        store = OSSL_STORE_open_ex(uri, libctx, props, ui, ask, NULL, NULL, NULL);
    else if (ui && bio)
        store = OSSL_STORE_attach(bio, "file", libctx, props, ui, ask, NULL, NULL, NULL);
    for (int i = 0; store && !found && i < OBJECTS_MAX && !OSSL_STORE_eof(store); i++) {
        auto_info OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        found = info && take(info, ret, ret_private);
    }
    OSSL_STORE_close(store);
    return found;
}
