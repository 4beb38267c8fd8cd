/* SPDX-License-Identifier: Apache-2.0 */
#include "jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

#include "auto.h"
#include "base64.h"
#include "limits.h"
#include "sign.h"
#include "thumbprint.h"

enum { COORDINATE = 32, MODULUS_MAX = VMCP_RSA_BITS_MAX / 8 };

VMCP_DEFINE_AUTO(bn_auto, BIGNUM *, BN_free)
VMCP_DEFINE_AUTO(bld_auto, OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
VMCP_DEFINE_AUTO(params_auto, OSSL_PARAM *, OSSL_PARAM_free)
VMCP_DEFINE_AUTO(ctx_auto, EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
#define auto_bn     VMCP_AUTO(bn_auto)
#define auto_bld    VMCP_AUTO(bld_auto)
#define auto_params VMCP_AUTO(params_auto)
#define auto_ctx    VMCP_AUTO(ctx_auto)

int vmcp_jwk_export(const struct vmcp_key *key, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *jwk = NULL;
    int rc = vmcp_pkey_members(vmcp_key_pkey(key), &jwk, err);
    if (rc < 0)
        return rc;
    if (json_object_set_new(jwk, "kid", json_string(vmcp_key_thumbprint(key))) < 0 ||
        json_object_set_new(jwk, "use", json_string("sig")) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a JWK");
    *ret = steal(&jwk);
    return 0;
}

/* Decode member `name` into `out` of `max` bytes. */
static int member(const json_t *jwk, const char *name, uint8_t *out, size_t max, size_t *ret_len,
                  struct vmcp_error *err)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    size_t chars = text ? strlen(text) : 0;
    if (!text || VMCP_BASE64_BYTES(chars) > max + 2)
        return vmcp_fail(err, VMCP_E_KEY, "a JWK without a usable member \"%s\"", name);
    uint8_t bytes[MODULUS_MAX + 3];
    struct vmcp_error ignored;
    if (vmcp_base64_decode(VMCP_BASE64_URL, text, chars, bytes, ret_len, &ignored) < 0 ||
        *ret_len > max || *ret_len == 0)
        return vmcp_fail(err, VMCP_E_KEY,
                         "the JWK's member \"%s\" is not base64url of 1 to %zu bytes", name, max);
    memcpy(out, bytes, *ret_len);
    return 0;
}

static int from_params(const char *type, OSSL_PARAM_BLD *bld, EVP_PKEY **ret,
                       struct vmcp_error *err)
{
    auto_params OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    auto_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    int good = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
               EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_PUBLIC_KEY, params) == 1;
    ERR_clear_error();
    return good ? 0 : vmcp_fail(err, VMCP_E_KEY, "the JWK's numbers are not a key");
}

static int import_ec(const json_t *jwk, EVP_PKEY **ret, struct vmcp_error *err)
{
    uint8_t point[1 + 2 * COORDINATE] = {4}; /* uncompressed: SEC 1, section 2.3.3 */
    size_t lx = 0, ly = 0;
    int rc = member(jwk, "x", point + 1, COORDINATE, &lx, err);
    if (rc == 0)
        rc = member(jwk, "y", point + 1 + COORDINATE, COORDINATE, &ly, err);
    if (rc < 0)
        return rc;
    if (lx != COORDINATE || ly != COORDINATE)
        return vmcp_fail(err, VMCP_E_KEY, "the JWK's coordinates are not 32 bytes each");
    auto_bld OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (!bld || !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    return from_params("EC", bld, ret, err);
}

static int import_rsa(const json_t *jwk, EVP_PKEY **ret, struct vmcp_error *err)
{
    uint8_t n[MODULUS_MAX], e[8];
    size_t ln = 0, le = 0;
    int rc = member(jwk, "n", n, sizeof(n), &ln, err);
    if (rc == 0)
        rc = member(jwk, "e", e, sizeof(e), &le, err);
    if (rc < 0)
        return rc;
    auto_bn BIGNUM *bn = BN_bin2bn(n, (int)ln, NULL);
    auto_bn BIGNUM *be = BN_bin2bn(e, (int)le, NULL);
    auto_bld OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (!bn || !be || !bld || !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) ||
        !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    return from_params("RSA", bld, ret, err);
}

static int import_okp(const json_t *jwk, EVP_PKEY **ret, struct vmcp_error *err)
{
    uint8_t x[COORDINATE];
    size_t len = 0;
    int rc = member(jwk, "x", x, sizeof(x), &len, err);
    if (rc < 0)
        return rc;
    *ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, len);
    ERR_clear_error();
    return *ret ? 0 : vmcp_fail(err, VMCP_E_KEY, "the JWK's x is not an Ed25519 key");
}

/* RFC 7517, sections 4.2 and 4.3; and no private or symmetric member of RFC 7518, section 6. */
static int check_usable(const json_t *jwk, struct vmcp_error *err)
{
    static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++)
        if (json_object_get(jwk, private[i]))
            return vmcp_fail(err, VMCP_E_KEY,
                             "the JWK has the private member \"%s\"; a public key is wanted",
                             private[i]);
    const json_t *use = json_object_get(jwk, "use");
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED, "the JWK's `use` is not \"sig\"");
    const json_t *ops = json_object_get(jwk, "key_ops");
    bool verifies = !ops;
    size_t i;
    json_t *op;
    json_array_foreach(ops, i, op)
    {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            verifies = true;
    }
    if (!verifies)
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED, "the JWK's `key_ops` are without \"verify\"");
    return 0;
}

static int check_alg(const json_t *jwk, const struct vmcp_key *key, struct vmcp_error *err)
{
    const json_t *name = json_object_get(jwk, "alg");
    const struct vmcp_alg *alg =
        json_is_string(name) ? vmcp_alg_find(json_string_value(name)) : NULL;
    if (name && (!alg || !vmcp_alg_fits(alg, key)))
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                         "the JWK's `alg` does not fit a key of the type %s",
                         vmcp_key_type_name(key));
    return 0;
}

int vmcp_jwk_import(const json_t *jwk, struct vmcp_key **ret, struct vmcp_error *err)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    auto_pkey EVP_PKEY *pkey = NULL;
    int rc = check_usable(jwk, err);
    if (rc < 0)
        return rc;
    if (kty && strcmp(kty, "RSA") == 0)
        rc = import_rsa(jwk, &pkey, err);
    else if (kty && crv && strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0)
        rc = import_ec(jwk, &pkey, err);
    else if (kty && crv && strcmp(kty, "OKP") == 0 && strcmp(crv, "Ed25519") == 0)
        rc = import_okp(jwk, &pkey, err);
    else
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                         "a JWK that is none of RSA, EC on P-256, OKP on Ed25519");
    if (rc < 0)
        return rc;
    auto_key struct vmcp_key *key = NULL;
    rc = vmcp_key_wrap(pkey, false, &key, err);
    if (rc < 0)
        return rc;
    pkey = NULL; /* the key's now */
    rc = check_alg(jwk, key, err);
    if (rc < 0)
        return rc;
    *ret = steal(&key);
    return 0;
}
