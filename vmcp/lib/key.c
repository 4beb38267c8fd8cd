/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "file.h"
#include "jwk.h"
#include "limits.h"

struct vmcp_key {
    atomic_int refs;
    EVP_PKEY *pkey;
    enum vmcp_key_type type;
    bool is_private;
    char type_name[16];
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
};

VMCP_DEFINE_AUTO(bio_auto, BIO *, BIO_free_all)
VMCP_DEFINE_AUTO(bn_auto, BIGNUM *, BN_free)
VMCP_DEFINE_AUTO(decoder_auto, OSSL_DECODER_CTX *, OSSL_DECODER_CTX_free)
#define auto_bio     VMCP_AUTO(bio_auto)
#define auto_bn      VMCP_AUTO(bn_auto)
#define auto_decoder VMCP_AUTO(decoder_auto)

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

/* RFC 7638, section 3: the required members, sorted, without white space, hashed. */
static int set_thumbprint(struct vmcp_key *key, struct vmcp_error *err)
{
    json_auto_t *members = NULL;
    int rc = vmcp_jwk_members(key, &members, err);
    if (rc < 0)
        return rc;
    auto_free char *text = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!text || EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the key's thumbprint cannot be computed");
    vmcp_base64_encode(VMCP_BASE64_URL, digest, len, key->thumbprint);
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
        rc = set_thumbprint(key, err);
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

/* OpenSSL would ask the terminal; here an encrypted key is an error like any other. */
static int no_passphrase(char *buf, int size, int rwflag, void *asked)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)asked = true;
    return -1;
}

/* `openssl ecparam -genkey` writes the curve's name as a PEM block of its own before the key. */
static void skip_ec_parameters(const char **data, size_t *len)
{
    static const char begin[] = "-----BEGIN EC PARAMETERS-----";
    static const char end[] = "-----END EC PARAMETERS-----";
    const char *to = NULL;
    if (*len > strlen(begin) && memcmp(*data, begin, strlen(begin)) == 0)
        to = memmem(*data, *len, end, strlen(end));
    if (!to)
        return;
    to += strlen(end);
    *len -= (size_t)(to - *data);
    *data = to;
}

static EVP_PKEY *decode(const char *data, size_t len, int selection, bool *encrypted)
{
    EVP_PKEY *pkey = NULL;
    skip_ec_parameters(&data, &len);
    auto_decoder OSSL_DECODER_CTX *ctx =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, NULL, selection, NULL, NULL);
    const unsigned char *at = (const unsigned char *)data;
    if (ctx && OSSL_DECODER_CTX_set_pem_password_cb(ctx, no_passphrase, encrypted) == 1)
        (void)OSSL_DECODER_from_data(ctx, &at, &len);
    ERR_clear_error();
    return pkey;
}

int vmcp_key_parse_private(const char *data, size_t len, struct vmcp_key **ret,
                           struct vmcp_error *err)
{
    bool encrypted = false;
    EVP_PKEY *pkey = decode(data, len, EVP_PKEY_KEYPAIR, &encrypted);
    if (pkey)
        return wrap_or_free(pkey, true, ret, err);
    if (encrypted)
        return vmcp_fail(err, VMCP_E_KEY, "the key is encrypted with a passphrase");
    auto_pkey EVP_PKEY *public = decode(data, len, EVP_PKEY_PUBLIC_KEY, &encrypted);
    if (public)
        return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY,
                         "this is a public key; the private one is wanted here");
    return vmcp_fail(err, VMCP_E_KEY,
                     "not a private key; PEM or DER of PKCS#8, PKCS#1 or SEC 1 is wanted");
}

int vmcp_key_parse_public(const char *data, size_t len, struct vmcp_key **ret,
                          struct vmcp_error *err)
{
    bool encrypted = false;
    /* Asked for a public key, the decoder would take one out of a private key's file too. */
    auto_pkey EVP_PKEY *private = decode(data, len, EVP_PKEY_KEYPAIR, &encrypted);
    if (private || encrypted)
        return vmcp_fail(err, VMCP_E_KEY, "this is a private key; the public one is wanted here");
    EVP_PKEY *pkey = decode(data, len, EVP_PKEY_PUBLIC_KEY, &encrypted);
    if (!pkey)
        return vmcp_fail(err, VMCP_E_KEY,
                         "not a public key; PEM or DER of SubjectPublicKeyInfo or PKCS#1 is "
                         "wanted");
    return wrap_or_free(pkey, false, ret, err);
}

/* Whoever gives FILE.pub for FILE is not to be told how to lock it. */
static bool is_public(const char *path)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_KEY_FILE_MAX);
    auto_key struct vmcp_key *key = NULL;
    return vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, NULL) == 0 &&
           vmcp_key_parse_public(b.data ? b.data : "", b.len, &key, NULL) == 0;
}

int vmcp_key_load_private(const char *path, struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_KEY_FILE_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &b, err);
    if (rc == -VMCP_E_FILE_MODE && is_public(path))
        rc = vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY,
                       "this is a public key; the private one is wanted here");
    if (rc == 0)
        rc = vmcp_key_parse_private(b.data ? b.data : "", b.len, ret, err);
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}

int vmcp_key_load_any(const char *path, struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_KEY_FILE_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    const char *data = b.data ? b.data : "";
    bool encrypted = false;
    auto_pkey EVP_PKEY *private = decode(data, b.len, EVP_PKEY_KEYPAIR, &encrypted);
    if (private || encrypted)
        return vmcp_key_load_private(path, ret, err);
    rc = vmcp_key_parse_public(data, b.len, ret, err);
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}

int vmcp_key_copy(const struct vmcp_key *key, struct vmcp_key **ret, struct vmcp_error *err)
{
    EVP_PKEY *pkey = EVP_PKEY_dup(key->pkey);
    if (!pkey)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the key cannot be copied");
    return wrap_or_free(pkey, key->is_private, ret, err);
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

/* The content of a memory BIO as a new string. */
static int take_bio(BIO *bio, char **ret, size_t *ret_len, struct vmcp_error *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *copy = len > 0 ? strndup(data, (size_t)len) : NULL;
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key's text");
    *ret = copy;
    if (ret_len)
        *ret_len = (size_t)len;
    return 0;
}

int vmcp_key_private_pem(const struct vmcp_key *key, char **ret, size_t *ret_len,
                         struct vmcp_error *err)
{
    auto_bio BIO *bio = BIO_new(BIO_s_secmem());
    if (!key->is_private)
        return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY, "the private half of the key is not here");
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the private key cannot be written as PEM");
    return take_bio(bio, ret, ret_len, err);
}

int vmcp_key_public_pem(const struct vmcp_key *key, char **ret, struct vmcp_error *err)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || PEM_write_bio_PUBKEY(bio, key->pkey) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the public key cannot be written as PEM");
    return take_bio(bio, ret, NULL, err);
}

int vmcp_key_public_der(const struct vmcp_key *key, unsigned char **ret, size_t *ret_len,
                        struct vmcp_error *err)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    auto_free unsigned char *copy = len > 0 ? malloc((size_t)len) : NULL;
    if (copy)
        memcpy(copy, der, (size_t)len);
    OPENSSL_free(der);
    if (!copy)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the public key cannot be written as DER");
    *ret = steal(&copy);
    *ret_len = (size_t)len;
    return 0;
}
