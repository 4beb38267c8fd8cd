/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

static const struct {
    const char *alg, *kind;
    size_t sig_len;
} algs[] = {
    {"EdDSA", "ed25519", 64},   {"Ed25519", "ed25519", 64}, {"ES256", "p-256", 64},
    {"PS256", "rsa-2048", 256}, {"RS256", "rsa-2048", 256}, {"RS512", "rsa-2048", 256},
};

static const char message[] = "the quick brown fox";

static void the_table(void **state)
{
    (void)state;
    static const char *const absent[] = {"",       "none",  "None",   "HS256", "HS512", "RS384",
                                         "PS384",  "PS512", "ES384",  "ES512", "eddsa", "es256",
                                         "ES256K", "Ed448", "EdDSA ", "RS1"};
    for (size_t i = 0; i < UNIT_COUNT(algs); i++) {
        const struct vmcp_alg *alg = vmcp_alg_find(algs[i].alg);
        assert_non_null(alg);
        assert_string_equal(vmcp_alg_name(alg), algs[i].alg);
        for (size_t k = 0; k < UNIT_COUNT(algs); k++)
            assert_int_equal(vmcp_alg_fits(alg, unit_key(algs[k].kind)),
                             strcmp(algs[k].kind, algs[i].kind) == 0);
    }
    for (size_t i = 0; i < UNIT_COUNT(absent); i++)
        assert_null(vmcp_alg_find(absent[i]));
    assert_string_equal(vmcp_alg_name(vmcp_alg_default(unit_key("ed25519"))), "EdDSA");
    assert_string_equal(vmcp_alg_name(vmcp_alg_default(unit_key("p-256"))), "ES256");
    assert_string_equal(vmcp_alg_name(vmcp_alg_default(unit_key("rsa-2048"))), "PS256");
}

/* Good as signed; not with one bit of the message or the signature changed, or a length. */
static void each_algorithm(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(algs); i++) {
        const struct vmcp_key *key = unit_key(algs[i].kind);
        const struct vmcp_alg *alg = vmcp_alg_find(algs[i].alg);
        const char *row = algs[i].alg;
        uint8_t sig[VMCP_SIGNATURE_MAX + 1];
        size_t len = 0, n = strlen(message);
        assert_good(row, vmcp_sign(key, alg, message, n, sig, &len, &err), err);
        assert_int_equal(len, algs[i].sig_len);
        assert_good(row, vmcp_sign_check(key, alg, message, n, sig, len, &err), err);
        assert_code(row, vmcp_sign_check(key, alg, message, n - 1, sig, len, &err), err,
                    VMCP_E_SIGNATURE);
        assert_code(row, vmcp_sign_check(key, alg, "the quick brown fax", n, sig, len, &err), err,
                    VMCP_E_SIGNATURE);
        for (size_t bit = 0; bit < 8 * len; bit += 61) {
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_code(row, vmcp_sign_check(key, alg, message, n, sig, len, &err), err,
                        VMCP_E_SIGNATURE);
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        sig[len] = 0;
        size_t lengths[] = {0, 1, len - 1, len + 1};
        for (size_t k = 0; k < UNIT_COUNT(lengths); k++)
            assert_code(row, vmcp_sign_check(key, alg, message, n, sig, lengths[k], &err), err,
                        VMCP_E_SIGNATURE);
        assert_good(row, vmcp_sign_check(key, alg, message, n, sig, len, &err), err);
    }
}

static void the_empty_message(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(algs); i++) {
        const struct vmcp_key *key = unit_key(algs[i].kind);
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t len = 0;
        assert_good(algs[i].alg, vmcp_sign(key, vmcp_alg_find(algs[i].alg), "", 0, sig, &len, &err),
                    err);
        assert_good(algs[i].alg,
                    vmcp_sign_check(key, vmcp_alg_find(algs[i].alg), "", 0, sig, len, &err), err);
    }
}

/* An algorithm never takes another's signature, and never another type's key. */
static void algorithms_do_not_mix(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(algs); i++) {
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t len = 0;
        const struct vmcp_key *key = unit_key(algs[i].kind);
        assert_good(algs[i].alg,
                    vmcp_sign(key, vmcp_alg_find(algs[i].alg), message, 9, sig, &len, &err), err);
        for (size_t k = 0; k < UNIT_COUNT(algs); k++) {
            const struct vmcp_alg *other = vmcp_alg_find(algs[k].alg);
            if (strcmp(algs[i].kind, algs[k].kind) != 0) {
                assert_code(algs[k].alg, vmcp_sign_check(key, other, message, 9, sig, len, &err),
                            err, VMCP_E_KEY_MISMATCH);
                assert_code(algs[k].alg, vmcp_sign(key, other, message, 9, sig, &len, &err), err,
                            VMCP_E_KEY_MISMATCH);
            } else if (k != i && i > 1) {
                assert_code(algs[k].alg, vmcp_sign_check(key, other, message, 9, sig, len, &err),
                            err, VMCP_E_SIGNATURE);
            }
        }
    }
}

static void another_key_of_the_same_type(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (size_t i = 0; i < 3; i++) { /* EdDSA, Ed25519, ES256: RSA keys take long to make */
        auto_key struct vmcp_key *other = NULL;
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t len = 0;
        const struct vmcp_alg *alg = vmcp_alg_find(algs[i].alg);
        assert_good(algs[i].alg, vmcp_key_generate(algs[i].kind, &other, &err), err);
        assert_good(algs[i].alg, vmcp_sign(other, alg, message, 9, sig, &len, &err), err);
        assert_code(algs[i].alg,
                    vmcp_sign_check(unit_key(algs[i].kind), alg, message, 9, sig, len, &err), err,
                    VMCP_E_SIGNATURE);
    }
}

static void public_keys_verify_and_do_not_sign(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(algs); i++) {
        auto_key struct vmcp_key *public = NULL;
        auto_free char *pem = NULL;
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t len = 0;
        const struct vmcp_alg *alg = vmcp_alg_find(algs[i].alg);
        assert_good("", vmcp_key_public_pem(unit_key(algs[i].kind), &pem, &err), err);
        assert_good("", vmcp_key_parse_public(pem, strlen(pem), &public, &err), err);
        assert_code("", vmcp_sign(public, alg, message, 9, sig, &len, &err), err,
                    VMCP_E_KEY_PUBLIC_ONLY);
        assert_good("", vmcp_sign(unit_key(algs[i].kind), alg, message, 9, sig, &len, &err), err);
        assert_good("", vmcp_sign_check(public, alg, message, 9, sig, len, &err), err);
    }
}

/* ES256 is r || s: DER of the same numbers is refused, and so are numbers out of range. */
static void es256_shapes(void **state)
{
    (void)state;
    struct vmcp_error err;
    const struct vmcp_key *key = unit_key("p-256");
    const struct vmcp_alg *alg = vmcp_alg_find("ES256");
    uint8_t raw[VMCP_SIGNATURE_MAX], der[80], *at = der;
    size_t len = 0;
    assert_good("", vmcp_sign(key, alg, message, 9, raw, &len, &err), err);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
    int der_len = i2d_ECDSA_SIG(sig, &at);
    ECDSA_SIG_free(sig);
    assert_code("DER", vmcp_sign_check(key, alg, message, 9, der, (size_t)der_len, &err), err,
                VMCP_E_SIGNATURE);
    uint8_t bad[64] = {0};
    assert_code("0, 0", vmcp_sign_check(key, alg, message, 9, bad, 64, &err), err,
                VMCP_E_SIGNATURE);
    memcpy(bad, raw, 32);
    assert_code("r, 0", vmcp_sign_check(key, alg, message, 9, bad, 64, &err), err,
                VMCP_E_SIGNATURE);
    memset(bad, 0xff, 64);
    assert_code("2^256-1", vmcp_sign_check(key, alg, message, 9, bad, 64, &err), err,
                VMCP_E_SIGNATURE);
}

/* ECDSA's numbers are short now and then: both halves are padded to 32 bytes. */
static void es256_is_always_64_bytes(void **state)
{
    (void)state;
    struct vmcp_error err;
    const struct vmcp_key *key = unit_key("p-256");
    const struct vmcp_alg *alg = vmcp_alg_find("ES256");
    bool short_seen = false;
    for (int i = 0; i < 5000 && !short_seen; i++) {
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t len = 0;
        assert_good("", vmcp_sign(key, alg, &i, sizeof(i), sig, &len, &err), err);
        assert_int_equal(len, 64);
        short_seen = sig[0] == 0 || sig[32] == 0;
        if (short_seen)
            assert_good("", vmcp_sign_check(key, alg, &i, sizeof(i), sig, len, &err), err);
    }
    assert_true(short_seen);
}

/* A PSS signature of OpenSSL's own with that salt length, hash and mask hash. */
static size_t pss(const struct vmcp_key *key, int salt, const EVP_MD *md, const EVP_MD *mgf,
                  uint8_t *sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    size_t len = VMCP_SIGNATURE_MAX;
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, vmcp_key_pkey(key)), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, mgf) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) > 0);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)message, 9), 1);
    EVP_MD_CTX_free(ctx);
    return len;
}

/* RFC 7518, section 3.5: the salt is as long as the hash, and MGF1 uses the same hash. */
static void pss_parameters(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int salt;
        const EVP_MD *md, *mgf;
        bool good;
    } rows[] = {
        {"salt 32", 32, EVP_sha256(), EVP_sha256(), true},
        {"salt 0", 0, EVP_sha256(), EVP_sha256(), false},
        {"salt 20", 20, EVP_sha256(), EVP_sha256(), false},
        {"salt 31", 31, EVP_sha256(), EVP_sha256(), false},
        {"salt 33", 33, EVP_sha256(), EVP_sha256(), false},
        {"salt 64", 64, EVP_sha256(), EVP_sha256(), false},
        {"salt max", 222, EVP_sha256(), EVP_sha256(), false},
        {"SHA-512", 32, EVP_sha512(), EVP_sha512(), false},
        {"mask SHA-1", 32, EVP_sha256(), EVP_sha1(), false},
        {"mask SHA-512", 32, EVP_sha256(), EVP_sha512(), false},
    };
    const struct vmcp_key *key = unit_key("rsa-2048");
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        uint8_t sig[VMCP_SIGNATURE_MAX];
        struct vmcp_error err;
        size_t len = pss(key, rows[i].salt, rows[i].md, rows[i].mgf, sig);
        if (rows[i].good)
            assert_good(rows[i].name,
                        vmcp_sign_check(key, vmcp_alg_find("PS256"), message, 9, sig, len, &err),
                        err);
        else
            assert_code(rows[i].name,
                        vmcp_sign_check(key, vmcp_alg_find("PS256"), message, 9, sig, len, &err),
                        err, VMCP_E_SIGNATURE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(each_algorithm),
        cmocka_unit_test(the_empty_message),
        cmocka_unit_test(algorithms_do_not_mix),
        cmocka_unit_test(another_key_of_the_same_type),
        cmocka_unit_test(public_keys_verify_and_do_not_sign),
        cmocka_unit_test(es256_shapes),
        cmocka_unit_test(es256_is_always_64_bytes),
        cmocka_unit_test(pss_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
