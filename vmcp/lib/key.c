/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <string.h>

#include "device.h"
#include "limits.h"
#include "thumbprint.h"

struct vmcp_key {
    atomic_int refs;
    EVP_PKEY *pkey;             /* of a key in hardware: its public half */
    struct vmcp_device *device; /* where the private half stays; NULL: it is in pkey */
    enum vmcp_key_type type;
    bool is_private;
    char type_name[16];
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
};

VMCP_DEFINE_AUTO(bn_auto, BIGNUM *, BN_free)
#define auto_bn VMCP_AUTO(bn_auto)

/* An even or tiny exponent verifies nothing. */
static bool rsa_exponent_is_sane(EVP_PKEY *pkey)
{
    auto_bn BIGNUM *e = NULL;
    return EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
           !BN_is_one(e);
}

static int classify(struct vmcp_key *key, struct vmcp_error *err)
{
    int bits = EVP_PKEY_get_bits(key->pkey);
    char group[32] = "";
    if (EVP_PKEY_is_a(key->pkey, "ED25519")) {
        key->type = VMCP_KEY_ED25519;
        snprintf(key->type_name, sizeof(key->type_name), "Ed25519");
    } else if (EVP_PKEY_is_a(key->pkey, "EC")) {
        if (EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), NULL) != 1 ||
            strcmp(group, SN_X9_62_prime256v1) != 0)
            return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                             "an elliptic curve key on another curve than P-256");
        key->type = VMCP_KEY_P256;
        snprintf(key->type_name, sizeof(key->type_name), "P-256");
    } else if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        if (bits < VMCP_RSA_BITS_MIN || bits > VMCP_RSA_BITS_MAX)
            return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                             "an RSA key of %d bits; %d to %d are used", bits, VMCP_RSA_BITS_MIN,
                             VMCP_RSA_BITS_MAX);
        if (!rsa_exponent_is_sane(key->pkey))
            return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED, "an RSA key with a useless exponent");
        key->type = VMCP_KEY_RSA;
        snprintf(key->type_name, sizeof(key->type_name), "RSA-%d", bits);
    } else {
        const char *name = EVP_PKEY_get0_type_name(key->pkey);
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                         "a key of type %s; Ed25519, P-256 and RSA are used", name ? name : "?");
    }
    return 0;
}

int vmcp_key_wrap(EVP_PKEY *pkey, bool is_private, struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_free struct vmcp_key *key = calloc(1, sizeof(*key));
    if (!key)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    key->refs = 1;
    key->pkey = pkey;
    key->is_private = is_private;
    int rc = classify(key, err);
    if (rc == 0)
        rc = vmcp_pkey_thumbprint(pkey, key->thumbprint, err);
    if (rc < 0)
        return rc;
    *ret = steal(&key);
    return 0;
}

static int wrap_or_free(EVP_PKEY *pkey, bool is_private, struct vmcp_key **ret,
                        struct vmcp_error *err)
{
    int rc = vmcp_key_wrap(pkey, is_private, ret, err);
    if (rc < 0)
        EVP_PKEY_free(pkey);
    return rc;
}

int vmcp_key_generate(const char *kind, struct vmcp_key **ret, struct vmcp_error *err)
{
    EVP_PKEY *pkey = NULL;
    if (strcmp(kind, "ed25519") == 0)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (strcmp(kind, "p-256") == 0)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    else if (strcmp(kind, "rsa-2048") == 0)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else if (strcmp(kind, "rsa-3072") == 0)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
    else if (strcmp(kind, "rsa-4096") == 0)
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
    else
        return vmcp_fail(err, VMCP_E_USAGE,
                         "there are no keys of kind %s; there are ed25519, p-256, rsa-2048, "
                         "rsa-3072, rsa-4096",
                         kind);
    if (!pkey)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no key could be made");
    return wrap_or_free(pkey, true, ret, err);
}

int vmcp_key_wrap_device(struct vmcp_device *device, struct vmcp_key **ret, struct vmcp_error *err)
{
    OSSL_LIB_CTX *libctx = NULL;
    const char *props = NULL;
    EVP_PKEY *public = NULL;
    int rc = vmcp_device_public(vmcp_device_lock(device, &libctx, &props), &public, err);
    vmcp_device_unlock(device);
    if (rc == 0)
        rc = wrap_or_free(public, true, ret, err);
    if (rc == 0)
        (*ret)->device = device;
    return rc;
}

int vmcp_key_copy(const struct vmcp_key *key, struct vmcp_key **ret, struct vmcp_error *err)
{
    EVP_PKEY *pkey = EVP_PKEY_dup(key->pkey);
    if (!pkey)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the key cannot be copied");
    int rc = wrap_or_free(pkey, key->is_private, ret, err);
    if (rc == 0 && key->device)
        (*ret)->device = vmcp_device_ref(key->device);
    return rc;
}

struct vmcp_key *vmcp_key_ref(struct vmcp_key *key)
{
    atomic_fetch_add(&key->refs, 1);
    return key;
}

void vmcp_key_unref(struct vmcp_key *key)
{
    if (!key || atomic_fetch_sub(&key->refs, 1) != 1)
        return;
    EVP_PKEY_free(key->pkey); /* OpenSSL wipes the private half */
    vmcp_device_unref(key->device);
    free(key);
}

enum vmcp_key_type vmcp_key_type(const struct vmcp_key *key)
{
    return key->type;
}

const char *vmcp_key_type_name(const struct vmcp_key *key)
{
    return key->type_name;
}

int vmcp_key_bits(const struct vmcp_key *key)
{
    return EVP_PKEY_get_bits(key->pkey);
}

bool vmcp_key_is_private(const struct vmcp_key *key)
{
    return key->is_private;
}

const char *vmcp_key_thumbprint(const struct vmcp_key *key)
{
    return key->thumbprint;
}

EVP_PKEY *vmcp_key_pkey(const struct vmcp_key *key)
{
    return key->pkey;
}

struct vmcp_device *vmcp_key_device(const struct vmcp_key *key)
{
    return key->device;
}
