/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as text: what is read from files. */
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "key.h"
#include "keyname.h"
#include "store.h"
#include "tpm.h"

VMCP_DEFINE_AUTO(decoder_auto, OSSL_DECODER_CTX *, OSSL_DECODER_CTX_free)
#define auto_decoder VMCP_AUTO(decoder_auto)

/* What it is instead, as far as its beginning tells; "" where it does not. */
static const char *looks_like(const char *data, size_t len)
{
    static const char *const rows[][2] = {
        {"{", " but JSON, as a JWK or a JWK set is (a trust file takes that, a key file does not)"},
        {"-----BEGIN CERTIFICATE-----", " but a certificate"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----", " but a key in OpenSSH's own form"},
        {"ssh-", " but a public key in OpenSSH's form"},
        {"-----BEGIN PGP ", " but OpenPGP's"},
        {"-----BEGIN ", " but PEM that is damaged, or of another kind"},
    };
    size_t i = 0;
    while (i < len && data[i] && strchr(" \t\r\n", data[i]))
        i++;
    if (i == len)
        return ": it is empty";
    for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
        if (len - i >= strlen(rows[k][0]) && memcmp(data + i, rows[k][0], strlen(rows[k][0])) == 0)
            return rows[k][1];
    if (data[i] == 0x30) /* a SEQUENCE */
        return " but DER that is damaged, or of another kind";
    return memmem(data, len, "-----END ", 9) ? " but PEM whose first line is damaged" : "";
}

/* `half`: what was wanted. */
static int not_a_key(const struct vmcp_ask *ask, enum vmcp_key_half half, const char *data,
                     size_t len, struct vmcp_error *err)
{
    if (ask->asked && ask->err.code)
        return vmcp_fail_at(err, ask->err.code, ask->err.where, "%s", ask->err.text);
    if (ask->asked && !ask->pass)
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "the key is encrypted with a passphrase");
    if (ask->asked)
        return vmcp_fail(err, VMCP_E_PASSPHRASE,
                         "the passphrase does not open the key, or the file is damaged");
    bool private = half == VMCP_KEY_PRIVATE;
    return vmcp_fail(err, VMCP_E_KEY, "not a %s%s; PEM or DER of %s is wanted",
                     private                ? "private key"
                     : half == VMCP_KEY_ANY ? "key"
                                            : "public key",
                     looks_like(data, len),
                     private ? "PKCS#8, PKCS#1 or SEC 1" : "SubjectPublicKeyInfo or PKCS#1");
}

int vmcp_key_fail_public(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY,
                     "this is a public key; the private one is wanted here");
}

static int wrap(EVP_PKEY *pkey, bool is_private, struct vmcp_key **ret, struct vmcp_error *err)
{
    int rc = vmcp_key_wrap(pkey, is_private, ret, err);
    if (rc < 0)
        EVP_PKEY_free(pkey);
    return rc;
}

/* `openssl ecparam -genkey` writes the curve's name as a PEM block of its own before the key. False
 * if that block has no end. */
static bool skip_ec_parameters(const char **data, size_t *len)
{
    static const char begin[] = "-----BEGIN EC PARAMETERS-----";
    static const char end[] = "-----END EC PARAMETERS-----";
    if (*len < strlen(begin) || memcmp(*data, begin, strlen(begin)) != 0)
        return true;
    const char *to = memmem(*data, *len, end, strlen(end));
    if (!to)
        return false;
    to += strlen(end);
    *len -= (size_t)(to - *data);
    *data = to;
    return true;
}

/* A PKCS#1 public key (RFC 8017, appendix A.1.1), which OSSL_STORE does not know. */
static bool read_pkcs1(const char *data, size_t len, EVP_PKEY **ret)
{
    const unsigned char *at = (const unsigned char *)data;
    auto_decoder OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
        ret, NULL, "type-specific", "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    return ctx && OSSL_DECODER_from_data(ctx, &at, &len) == 1;
}

VMCP_DEFINE_AUTO(p12_auto, PKCS12 *, PKCS12_free)
#define auto_p12 VMCP_AUTO(p12_auto)

/* OSSL_STORE would try the empty passphrase on it, with as many rounds as the file says: 2^31 of
 * them hold whoever reads a hostile trust file for minutes. */
static bool is_pkcs12(const char *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data;
    auto_p12 PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)len);
    ERR_clear_error();
    return p12;
}

static bool read_key(const char *data, size_t len, struct vmcp_ask *ask, EVP_PKEY **ret,
                     bool *ret_private)
{
    if (!skip_ec_parameters(&data, &len) || is_pkcs12(data, len))
        return false;
    bool found = vmcp_store_read(NULL, NULL, NULL, data, len, ask, ret, ret_private) ||
                 (!ask->asked && read_pkcs1(data, len, ret));
    ERR_clear_error();
    return found;
}

int vmcp_key_parse(const char *data, size_t len, enum vmcp_key_half half, struct vmcp_ask *ask,
                   struct vmcp_key **ret, struct vmcp_error *err)
{
    EVP_PKEY *pkey = NULL;
    bool is_private = false;
    bool in_tpm = vmcp_tpm_is_pem(data, len);
    if (in_tpm && half != VMCP_KEY_PUBLIC)
        return vmcp_tpm_open(NULL, data, len, ask, ret, err);
    bool found = read_key(data, len, ask, &pkey, &is_private);
    if (half == VMCP_KEY_PUBLIC && (is_private || in_tpm || ask->asked)) {
        EVP_PKEY_free(pkey);
        return vmcp_fail(err, VMCP_E_KEY, "this is a private key; the public one is wanted here");
    }
    if (!found)
        return not_a_key(ask, half, data, len, err);
    if (half == VMCP_KEY_PRIVATE && !is_private) {
        EVP_PKEY_free(pkey);
        return vmcp_key_fail_public(err);
    }
    return wrap(pkey, is_private, ret, err);
}

int vmcp_key_parse_private(const char *data, size_t len, struct vmcp_key **ret,
                           struct vmcp_error *err)
{
    struct vmcp_ask ask = {.what = ""};
    return vmcp_key_parse(data, len, VMCP_KEY_PRIVATE, &ask, ret, err);
}

int vmcp_key_parse_public(const char *data, size_t len, struct vmcp_key **ret,
                          struct vmcp_error *err)
{
    struct vmcp_ask ask = {.what = ""};
    return vmcp_key_parse(data, len, VMCP_KEY_PUBLIC, &ask, ret, err);
}
