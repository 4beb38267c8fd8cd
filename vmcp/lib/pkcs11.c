/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11.h"

/* Debian 12 has no PKCS#11 provider; engines are deprecated since OpenSSL 3.0. Here only. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device.h"
#include "keyname.h"

/* PKCS #11 3.0, CK_RV; the engine hands them on as reasons. */
enum { CKR_PIN_INCORRECT = 0xa0, CKR_PIN_LEN_RANGE = 0xa2, CKR_PIN_LOCKED = 0xa4 };

static void engine_close(void *handle)
{
    ENGINE_finish(handle);
    ENGINE_free(handle);
}

VMCP_DEFINE_AUTO(engine_auto, ENGINE *, engine_close)
#define auto_engine VMCP_AUTO(engine_auto)

/* Take module-path (RFC 7512, section 2.4) out of the URI's query: the engine does not know it. */
static int take_module(char *uri, char **ret, struct vmcp_error *err)
{
    static const char name[] = "module-path=";
    char *query = strchr(uri, '?');
    for (char *at = query ? query + 1 : NULL; at && *at;) {
        char *end = at + strcspn(at, "&");
        if (strncmp(at, name, strlen(name)) == 0) {
            *ret = strndup(at + strlen(name), (size_t)(end - at) - strlen(name));
            if (!*ret)
                return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
            if (!vmcp_uri_decode(*ret) || (*ret)[0] != '/')
                return vmcp_fail(err, VMCP_E_USAGE, "module-path is not an absolute path");
            memmove(at, *end ? end + 1 : end, strlen(*end ? end + 1 : end) + 1);
            char *last = uri + strlen(uri) - 1;
            if (*last == '?' || *last == '&')
                *last = '\0';
            return 0;
        }
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int engine_open(const char *module, ENGINE **ret, struct vmcp_error *err)
{
    ENGINE *engine = ENGINE_by_id("pkcs11");
    ERR_clear_error();
    if (!engine)
        return vmcp_fail(err, VMCP_E_KEY_DEVICE,
                         "the OpenSSL engine \"pkcs11\" cannot be loaded; its package is "
                         "libengine-pkcs11-openssl");
    /* It would write its own opinion to standard error. */
    bool good = ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 1) == 1 &&
                (!module || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) == 1) &&
                ENGINE_init(engine) == 1;
    ERR_clear_error();
    if (good) {
        *ret = engine;
        return 0;
    }
    ENGINE_free(engine);
    return vmcp_fail(err, VMCP_E_KEY_DEVICE, "the PKCS#11 module%s%s cannot be used",
                     module ? " " : "", module ? module : "");
}

/* Why it failed, by the first reason that OpenSSL's queue holds. */
static int explain(const struct vmcp_ask *ask, struct vmcp_error *err)
{
    char reason[128] = "";
    unsigned long e = ERR_get_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    snprintf(reason, sizeof(reason), "%s", text ? text : "no reason was given");
    ERR_clear_error();
    int code = ERR_GET_REASON(e);
    if (ask->asked && ask->err.code)
        return vmcp_fail_at(err, ask->err.code, ask->err.where, "%s", ask->err.text);
    if (strcasecmp(reason, "PIN incorrect") == 0 || code == CKR_PIN_INCORRECT ||
        code == CKR_PIN_LEN_RANGE)
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "the token says that the PIN is wrong");
    if (code == CKR_PIN_LOCKED)
        return vmcp_fail(err, VMCP_E_PASSPHRASE,
                         "the token has locked its PIN after too many wrong ones");
    if (strcmp(reason, "object not found") == 0)
        return vmcp_fail(err, VMCP_E_KEY_DEVICE,
                         "no token here has such a key (p11tool --list-tokens shows tokens; one "
                         "with an Ed25519 key on it cannot be used)");
    return vmcp_fail(err, VMCP_E_KEY_DEVICE, "the token does not give the key: %s", reason);
}

static int open_public(ENGINE *engine, const char *uri, struct vmcp_ask *ask, struct vmcp_key **ret,
                       struct vmcp_error *err)
{
    auto_ui UI_METHOD *ui = vmcp_ask_ui();
    auto_pkey EVP_PKEY *handle = ui ? ENGINE_load_public_key(engine, uri, ui, ask) : NULL;
    EVP_PKEY *public = NULL;
    if (!handle)
        return explain(ask, err);
    int rc = vmcp_device_public(handle, &public, err);
    if (rc == 0)
        rc = vmcp_key_wrap(public, false, ret, err);
    if (rc < 0)
        EVP_PKEY_free(public);
    return rc;
}

/* The key takes *engine over. */
static int open_private(ENGINE **engine, const char *uri, struct vmcp_ask *ask,
                        struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_ui UI_METHOD *ui = vmcp_ask_ui();
    auto_pkey EVP_PKEY *handle = ui ? ENGINE_load_private_key(*engine, uri, ui, ask) : NULL;
    auto_device struct vmcp_device *device = NULL;
    const struct vmcp_device_home home = {.close = engine_close, .handle = *engine};
    if (!handle)
        return explain(ask, err);
    int rc = vmcp_device_new(handle, &home, &device, err);
    if (rc < 0)
        return rc;
    handle = NULL; /* the device's now, as the engine is */
    *engine = NULL;
    rc = vmcp_key_wrap_device(device, ret, err);
    if (rc == 0)
        device = NULL; /* the key's now */
    return rc;
}

int vmcp_pkcs11_open(const char *uri, bool want_private, struct vmcp_ask *ask,
                     struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_engine ENGINE *engine = NULL;
    auto_free char *module = NULL, *own = strdup(uri);
    if (!own)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a name");
    int rc = take_module(own, &module, err);
    if (rc == 0)
        rc = engine_open(module, &engine, err);
    if (rc == 0 && want_private) {
        rc = open_private(&engine, own, ask, ret, err);
    } else if (rc == 0) {
        rc = open_public(engine, own, ask, ret, err);
        if (rc == -VMCP_E_KEY_DEVICE) /* a token may hold the private half alone */
            rc = open_private(&engine, own, ask, ret, err);
    }
    OPENSSL_cleanse(own, strlen(own)); /* a PIN may be in it */
    return rc;
}
