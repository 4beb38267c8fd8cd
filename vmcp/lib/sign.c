/* SPDX-License-Identifier: Apache-2.0 */
#include "sign.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "device.h"

struct vmcp_alg {
    const char *name;
    enum vmcp_key_type type;
    const char *digest; /* NULL: the algorithm hashes by itself */
    bool pss;
};

enum { P256_HALF = 32, PSS_SALT = 32 };

static const struct vmcp_alg algs[] = {
    {"EdDSA", VMCP_KEY_ED25519, NULL, false},   /* RFC 8037, section 3.1 */
    {"Ed25519", VMCP_KEY_ED25519, NULL, false}, /* RFC 9864, section 2.2: the same signature */
    {"ES256", VMCP_KEY_P256, "SHA256", false},  /* RFC 7518, section 3.4 */
    {"PS256", VMCP_KEY_RSA, "SHA256", true},    /* section 3.5 */
    {"RS256", VMCP_KEY_RSA, "SHA256", false},   /* section 3.3 */
    {"RS512", VMCP_KEY_RSA, "SHA512", false},
};

VMCP_DEFINE_AUTO(md_ctx_auto, EVP_MD_CTX *, EVP_MD_CTX_free)
VMCP_DEFINE_AUTO(ecdsa_auto, ECDSA_SIG *, ECDSA_SIG_free)
#define auto_md_ctx VMCP_AUTO(md_ctx_auto)
#define auto_ecdsa  VMCP_AUTO(ecdsa_auto)

const struct vmcp_alg *vmcp_alg_find(const char *name)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++)
        if (strcmp(algs[i].name, name) == 0)
            return &algs[i];
    return NULL;
}

const struct vmcp_alg *vmcp_alg_default(const struct vmcp_key *key)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++)
        if (algs[i].type == vmcp_key_type(key))
            return &algs[i]; /* the first of its type in the table */
    return NULL;
}

const char *vmcp_alg_name(const struct vmcp_alg *alg)
{
    return alg->name;
}

bool vmcp_alg_fits(const struct vmcp_alg *alg, const struct vmcp_key *key)
{
    return alg->type == vmcp_key_type(key);
}

static int check_fit(const struct vmcp_key *key, const struct vmcp_alg *alg, struct vmcp_error *err)
{
    if (!vmcp_alg_fits(alg, key))
        return vmcp_fail(err, VMCP_E_KEY_MISMATCH, "algorithm %s does not fit a key of the type %s",
                         alg->name, vmcp_key_type_name(key));
    return 0;
}

static bool set_padding(const struct vmcp_alg *alg, EVP_PKEY_CTX *ctx)
{
    if (!alg->pss) /* PKCS#1 v1.5 is what an RSA key does unless told otherwise */
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, PSS_SALT) > 0;
}

/* One INTEGER of at most 32 bytes (X.690, section 8.3), right-aligned into `half`. */
static bool take_half(const uint8_t **at, const uint8_t *end, uint8_t half[static P256_HALF])
{
    const uint8_t *p = *at;
    if (end - p < 3 || p[0] != 0x02 || p[1] == 0 || p[1] > end - p - 2)
        return false;
    size_t len = p[1];
    p += 2;
    *at = p + len;
    if (len == P256_HALF + 1 && *p == 0) { /* the sign */
        p++;
        len--;
    }
    if (len > P256_HALF)
        return false;
    memset(half, 0, P256_HALF - len);
    memcpy(half + P256_HALF - len, p, len);
    return true;
}

/* OpenSSL's DER, SEQUENCE { r, s }, to r || s of JOSE (RFC 7518, section 3.4). */
static bool ecdsa_to_raw(const uint8_t *der, size_t len, uint8_t raw[static 2 * P256_HALF])
{
    const uint8_t *at = der + 2, *end = der + len;
    return len > 2 && der[0] == 0x30 && der[1] == len - 2 && take_half(&at, end, raw) &&
           take_half(&at, end, raw + P256_HALF) && at == end;
}

static size_t ecdsa_to_der(const uint8_t raw[static 2 * P256_HALF], uint8_t *der)
{
    auto_ecdsa ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + P256_HALF, P256_HALF, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int len = i2d_ECDSA_SIG(sig, &der);
    return len > 0 ? (size_t)len : 0;
}

/* 1: good, 0: not, -1: it cannot be told. An ECDSA signature is DER. */
static int check(const struct vmcp_key *key, const struct vmcp_alg *alg, const void *data,
                 size_t len, const uint8_t *sig, size_t sig_len)
{
    auto_md_ctx EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    if (!md ||
        EVP_DigestVerifyInit_ex(md, &ctx, alg->digest, NULL, NULL, vmcp_key_pkey(key), NULL) <= 0 ||
        !set_padding(alg, ctx))
        return -1;
    return EVP_DigestVerify(md, sig, sig_len, data, len) == 1;
}

/* The pkey's own library context and properties, where it has them. */
static bool digest_sign(EVP_PKEY *pkey, OSSL_LIB_CTX *libctx, const char *props,
                        const struct vmcp_alg *alg, const void *data, size_t len, uint8_t *sig,
                        size_t *ret_len)
{
    auto_md_ctx EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL; /* owned by md */
    *ret_len = VMCP_SIGNATURE_MAX;
    return md && EVP_DigestSignInit_ex(md, &ctx, alg->digest, libctx, props, pkey, NULL) > 0 &&
           set_padding(alg, ctx) && EVP_DigestSign(md, sig, ret_len, data, len) > 0;
}

static int fail_device(const struct vmcp_alg *alg, struct vmcp_error *err)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long e = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    bool more = data && *data && (flags & ERR_TXT_STRING);
    int rc = vmcp_fail(err, VMCP_E_KEY_DEVICE, "the token or TPM did not sign with %s: %s%s%s",
                       alg->name, reason ? reason : "it gave no reason", more ? ": " : "",
                       more ? data : "");
    ERR_clear_error();
    return rc;
}

/* What signs is hardware: its answer is looked at before anybody else has to. */
static int device_sign(const struct vmcp_key *key, const struct vmcp_alg *alg, const void *data,
                       size_t len, uint8_t *sig, size_t *ret_len, struct vmcp_error *err)
{
    OSSL_LIB_CTX *libctx = NULL;
    const char *props = NULL;
    EVP_PKEY *pkey = vmcp_device_lock(vmcp_key_device(key), &libctx, &props);
    bool good = digest_sign(pkey, libctx, props, alg, data, len, sig, ret_len);
    vmcp_device_unlock(vmcp_key_device(key));
    if (!good)
        return fail_device(alg, err);
    if (check(key, alg, data, len, sig, *ret_len) != 1) {
        ERR_clear_error();
        return vmcp_fail(err, VMCP_E_KEY_DEVICE, "the token or TPM made a bad %s signature%s",
                         alg->name, alg->pss ? "; RS256 or RS512 may work" : "");
    }
    return 0;
}

int vmcp_sign(const struct vmcp_key *key, const struct vmcp_alg *alg, const void *data, size_t len,
              uint8_t ret_sig[static VMCP_SIGNATURE_MAX], size_t *ret_sig_len,
              struct vmcp_error *err)
{
    size_t sig_len = 0;
    int rc = check_fit(key, alg, err);
    if (rc < 0)
        return rc;
    if (!vmcp_key_is_private(key))
        return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY, "signing needs the private key");
    if (vmcp_key_device(key)) {
        rc = device_sign(key, alg, data, len, ret_sig, &sig_len, err);
        if (rc < 0)
            return rc;
    } else if (!digest_sign(vmcp_key_pkey(key), NULL, NULL, alg, data, len, ret_sig, &sig_len)) {
        ERR_clear_error();
        return vmcp_fail(err, VMCP_E_CRYPTO, "signing with %s failed", alg->name);
    }
    if (alg->type == VMCP_KEY_P256) {
        uint8_t raw[2 * P256_HALF];
        if (!ecdsa_to_raw(ret_sig, sig_len, raw))
            return vmcp_fail(err, VMCP_E_CRYPTO, "an ECDSA signature of an odd shape was made");
        memcpy(ret_sig, raw, sizeof(raw));
        sig_len = sizeof(raw);
    }
    *ret_sig_len = sig_len;
    return 0;
}

static int bad_signature(struct vmcp_error *err)
{
    ERR_clear_error();
    return vmcp_fail(err, VMCP_E_SIGNATURE,
                     "the signature does not fit: the answer was changed on its way, or another "
                     "key signed it");
}

int vmcp_sign_check(const struct vmcp_key *key, const struct vmcp_alg *alg, const void *data,
                    size_t len, const uint8_t *sig, size_t sig_len, struct vmcp_error *err)
{
    int rc = check_fit(key, alg, err);
    if (rc < 0)
        return rc;
    uint8_t der[2 * P256_HALF + 16];
    if (alg->type == VMCP_KEY_P256) {
        if (sig_len != 2 * P256_HALF) /* RFC 7518, section 3.4 */
            return bad_signature(err);
        sig_len = ecdsa_to_der(sig, der);
        sig = der;
    }
    int good = check(key, alg, data, len, sig, sig_len);
    if (good < 0) {
        ERR_clear_error();
        return vmcp_fail(err, VMCP_E_CRYPTO, "verifying with %s is not possible here", alg->name);
    }
    return good ? 0 : bad_signature(err);
}
