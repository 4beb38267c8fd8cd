/* SPDX-License-Identifier: Apache-2.0 */
#include "thumbprint.h"

#include <openssl/core_names.h>
#include <string.h>

#include "auto.h"
#include "base64.h"

enum { COORDINATE = 32, MODULUS_MAX = VMCP_RSA_BITS_MAX / 8 };

VMCP_DEFINE_AUTO(bn_auto, BIGNUM *, BN_free)
#define auto_bn VMCP_AUTO(bn_auto)

static json_t *base64url(const uint8_t *data, size_t len)
{
    char text[VMCP_BASE64_CHARS(MODULUS_MAX) + 1];
    vmcp_base64_encode(VMCP_BASE64_URL, data, len, text);
    return json_string(text);
}

/* A number of the key: `width` bytes, or as many as it needs where that is 0. NULL on failure. */
static json_t *number(EVP_PKEY *pkey, const char *param, int width)
{
    auto_bn BIGNUM *bn = NULL;
    uint8_t bytes[MODULUS_MAX];
    if (EVP_PKEY_get_bn_param(pkey, param, &bn) != 1)
        return NULL;
    int len = width ? width : BN_num_bytes(bn);
    if (len > MODULUS_MAX || BN_bn2binpad(bn, bytes, len) != len)
        return NULL;
    return base64url(bytes, (size_t)len);
}

/* RFC 8037, section 2. */
static json_t *ed25519_members(EVP_PKEY *pkey)
{
    uint8_t x[COORDINATE];
    size_t len = sizeof(x);
    if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1)
        return NULL;
    return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", "Ed25519", "x", base64url(x, len));
}

int vmcp_pkey_members(EVP_PKEY *pkey, json_t **ret, struct vmcp_error *err)
{
    json_t *jwk = NULL;
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        jwk = ed25519_members(pkey);
    else if (EVP_PKEY_is_a(pkey, "EC")) /* RFC 7518, section 6.2.1: padded to the curve's size */
        jwk = json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256", "x",
                        number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, COORDINATE), "y",
                        number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, COORDINATE));
    else if (EVP_PKEY_is_a(pkey, "RSA")) /* section 6.3.1: as few bytes as the numbers need */
        jwk =
            json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n", number(pkey, OSSL_PKEY_PARAM_RSA_N, 0),
                      "e", number(pkey, OSSL_PKEY_PARAM_RSA_E, 0));
    if (!jwk)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the key cannot be written as a JWK");
    *ret = jwk;
    return 0;
}

int vmcp_pkey_thumbprint(EVP_PKEY *pkey, char ret[static VMCP_THUMBPRINT_LEN + 1],
                         struct vmcp_error *err)
{
    json_auto_t *members = NULL;
    int rc = vmcp_pkey_members(pkey, &members, err);
    if (rc < 0)
        return rc;
    auto_free char *text = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!text || EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the key's thumbprint cannot be computed");
    vmcp_base64_encode(VMCP_BASE64_URL, digest, len, ret);
    return 0;
}
