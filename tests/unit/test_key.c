/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/bio.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/json.h"
#include "lib/jwk.h"

/* `pkey` in one of the forms that tools write; new bytes, free(). `structure` NULL: no such thing.
 * With a passphrase, encrypted. */
static char *encode(EVP_PKEY *pkey, bool private, const char *format, const char *structure,
                    const char *passphrase, size_t *ret_len)
{
    unsigned char *data = NULL;
    OSSL_ENCODER_CTX *ctx = OSSL_ENCODER_CTX_new_for_pkey(
        pkey, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, format, structure, NULL);
    assert_non_null(ctx);
    if (passphrase) {
        assert_int_equal(OSSL_ENCODER_CTX_set_cipher(ctx, "AES-256-CBC", NULL), 1);
        assert_int_equal(OSSL_ENCODER_CTX_set_passphrase(ctx, (const unsigned char *)passphrase,
                                                         strlen(passphrase)),
                         1);
    }
    assert_int_equal(OSSL_ENCODER_to_data(ctx, &data, ret_len), 1);
    OSSL_ENCODER_CTX_free(ctx);
    char *copy = malloc(*ret_len + 1);
    memcpy(copy, data, *ret_len);
    copy[*ret_len] = '\0';
    OPENSSL_free(data);
    return copy;
}

static void kinds_that_can_be_made(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *name;
        enum vmcp_key_type type;
        int bits;
    } rows[] = {{"ed25519", "Ed25519", VMCP_KEY_ED25519, 256},
                {"p-256", "P-256", VMCP_KEY_P256, 256},
                {"rsa-2048", "RSA-2048", VMCP_KEY_RSA, 2048}};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        auto_key struct vmcp_key *key = NULL;
        assert_good(rows[i].kind, vmcp_key_generate(rows[i].kind, &key, &err), err);
        assert_string_equal(vmcp_key_type_name(key), rows[i].name);
        assert_int_equal(vmcp_key_type(key), rows[i].type);
        assert_true(vmcp_key_bits(key) == rows[i].bits || rows[i].type == VMCP_KEY_ED25519);
        assert_true(vmcp_key_is_private(key));
        assert_int_equal(strlen(vmcp_key_thumbprint(key)), VMCP_THUMBPRINT_LEN);
    }
    static const char *const unknown[] = {"", "rsa", "rsa-1024", "RSA-2048", "ed448", "p-384"};
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(unknown); i++)
        assert_code(unknown[i], vmcp_key_generate(unknown[i], &none, &err), err, VMCP_E_USAGE);
    assert_null(none);
}

/* Every form of a private key that tools write gives the same key. */
static void private_forms(void **state)
{
    static const struct {
        const char *kind, *format, *structure;
    } rows[] = {
        {"ed25519", "PEM", "PrivateKeyInfo"},  {"ed25519", "DER", "PrivateKeyInfo"},
        {"p-256", "PEM", "PrivateKeyInfo"},    {"p-256", "DER", "PrivateKeyInfo"},
        {"p-256", "PEM", "type-specific"},     {"p-256", "DER", "type-specific"}, /* SEC 1 */
        {"rsa-2048", "PEM", "PrivateKeyInfo"}, {"rsa-2048", "DER", "PrivateKeyInfo"},
        {"rsa-2048", "PEM", "type-specific"},  {"rsa-2048", "DER", "type-specific"}, /* PKCS#1 */
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct vmcp_key *own = unit_key(rows[i].kind);
        size_t len = 0;
        auto_key struct vmcp_key *parsed = NULL, *loaded = NULL, *any = NULL;
        auto_free char *text =
            encode(vmcp_key_pkey(own), true, rows[i].format, rows[i].structure, NULL, &len);
        assert_good(rows[i].kind, vmcp_key_parse_private(text, len, &parsed, &err), err);
        assert_true(vmcp_key_is_private(parsed));
        assert_string_equal(vmcp_key_thumbprint(parsed), vmcp_key_thumbprint(own));
        const char *path = unit_path(*state, "form.key");
        unit_write(path, 0600, text, len);
        assert_good(rows[i].kind, vmcp_key_load_private(path, &loaded, &err), err);
        assert_string_equal(vmcp_key_thumbprint(loaded), vmcp_key_thumbprint(own));
        assert_good(rows[i].kind, vmcp_key_load_any(path, &any, &err), err);
        assert_true(vmcp_key_is_private(any));
        /* and none of them passes for a public key, though each has one in it */
        auto_key struct vmcp_key *none = NULL;
        assert_code(rows[i].kind, vmcp_key_parse_public(text, len, &none, &err), err, VMCP_E_KEY);
        assert_non_null(strstr(err.text, "private key"));
    }
}

/* `openssl ecparam -genkey` puts the curve's name before the key. */
static void a_key_behind_its_curve(void **state)
{
    (void)state;
    static const char *const before[] = {
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
        "-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----",
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"};
    const struct vmcp_key *own = unit_key("p-256");
    size_t len = 0;
    auto_free char *pem = encode(vmcp_key_pkey(own), true, "PEM", "type-specific", NULL, &len);
    for (size_t i = 0; i < UNIT_COUNT(before); i++) {
        struct vmcp_error err;
        auto_key struct vmcp_key *key = NULL;
        auto_free char *text = NULL;
        assert_true(asprintf(&text, "%s%s", before[i], pem) > 0);
        if (i == 2) { /* a block without its end */
            assert_code(before[i], vmcp_key_parse_private(text, strlen(text), &key, &err), err,
                        VMCP_E_KEY);
            continue;
        }
        assert_good(before[i], vmcp_key_parse_private(text, strlen(text), &key, &err), err);
        assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(own));
    }
}

static void public_forms(void **state)
{
    static const struct {
        const char *kind, *format, *structure;
    } rows[] = {
        {"ed25519", "PEM", "SubjectPublicKeyInfo"},  {"ed25519", "DER", "SubjectPublicKeyInfo"},
        {"p-256", "PEM", "SubjectPublicKeyInfo"},    {"p-256", "DER", "SubjectPublicKeyInfo"},
        {"rsa-2048", "PEM", "SubjectPublicKeyInfo"}, {"rsa-2048", "DER", "SubjectPublicKeyInfo"},
        {"rsa-2048", "PEM", "type-specific"},        {"rsa-2048", "DER", "type-specific"},
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct vmcp_key *own = unit_key(rows[i].kind);
        size_t len = 0;
        auto_key struct vmcp_key *parsed = NULL, *any = NULL;
        auto_free char *text =
            encode(vmcp_key_pkey(own), false, rows[i].format, rows[i].structure, NULL, &len);
        assert_good(rows[i].kind, vmcp_key_parse_public(text, len, &parsed, &err), err);
        assert_false(vmcp_key_is_private(parsed));
        assert_string_equal(vmcp_key_thumbprint(parsed), vmcp_key_thumbprint(own));
        const char *path = unit_path(*state, "form.pub");
        unit_write(path, 0644, text, len);
        assert_good(rows[i].kind, vmcp_key_load_any(path, &any, &err), err);
        assert_false(vmcp_key_is_private(any));
    }
}

/* The wrong half is told apart, and never silently used. */
static void the_wrong_half(void **state)
{
    static const char *const kinds[] = {"ed25519", "p-256", "rsa-2048"};
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
        const struct vmcp_key *own = unit_key(kinds[i]);
        auto_free char *public = NULL, *private = NULL;
        size_t len = 0;
        assert_good(kinds[i], vmcp_key_public_pem(own, &public, &err), err);
        assert_good(kinds[i], vmcp_key_private_pem(own, &private, &len, &err), err);
        assert_code(kinds[i], vmcp_key_parse_private(public, strlen(public), &none, &err), err,
                    VMCP_E_KEY_PUBLIC_ONLY);
        assert_code(kinds[i], vmcp_key_parse_public(private, len, &none, &err), err, VMCP_E_KEY);
        const char *path = unit_path(*state, "half.pub");
        unit_write(path, 0600, public, strlen(public));
        assert_code(kinds[i], vmcp_key_load_private(path, &none, &err), err,
                    VMCP_E_KEY_PUBLIC_ONLY);
        assert_string_equal(err.where, path);
        assert_int_equal(chmod(path, 0644), 0); /* as public keys are: the same */
        assert_code(kinds[i], vmcp_key_load_private(path, &none, &err), err,
                    VMCP_E_KEY_PUBLIC_ONLY);
    }
    assert_null(none);
}

static void unsupported_keys(void **state)
{
    (void)state;
    struct {
        const char *name;
        EVP_PKEY *pkey;
    } rows[] = {
        {"X25519", EVP_PKEY_Q_keygen(NULL, NULL, "X25519")},
        {"Ed448", EVP_PKEY_Q_keygen(NULL, NULL, "ED448")},
        {"P-384", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")},
        {"secp256k1", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1")},
        {"RSA-1024", EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)},
    };
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        size_t len = 0;
        assert_non_null(rows[i].pkey);
        auto_free char *private = encode(rows[i].pkey, true, "PEM", "PrivateKeyInfo", NULL, &len);
        assert_code(rows[i].name, vmcp_key_parse_private(private, len, &none, &err), err,
                    VMCP_E_KEY_UNSUPPORTED);
        auto_free char *public =
            encode(rows[i].pkey, false, "PEM", "SubjectPublicKeyInfo", NULL, &len);
        assert_code(rows[i].name, vmcp_key_parse_public(public, len, &none, &err), err,
                    VMCP_E_KEY_UNSUPPORTED);
        EVP_PKEY_free(rows[i].pkey);
    }
    assert_null(none);
}

/* Not a hang, not a prompt: an error that says so. */
static void encrypted_keys(void **state)
{
    static const struct {
        const char *kind, *format, *structure;
    } rows[] = {
        {"ed25519", "PEM", "EncryptedPrivateKeyInfo"},
        {"rsa-2048", "PEM", "EncryptedPrivateKeyInfo"},
        {"rsa-2048", "DER", "EncryptedPrivateKeyInfo"},
        {"rsa-2048", "PEM", "type-specific"}, /* the traditional Proc-Type header */
    };
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        size_t len = 0;
        auto_free char *text = encode(vmcp_key_pkey(unit_key(rows[i].kind)), true, rows[i].format,
                                      rows[i].structure, "sesame", &len);
        assert_code(rows[i].structure, vmcp_key_parse_private(text, len, &none, &err), err,
                    VMCP_E_PASSPHRASE);
        assert_non_null(strstr(err.text, "encrypted"));
        assert_code(rows[i].structure, vmcp_key_parse_public(text, len, &none, &err), err,
                    VMCP_E_KEY);
        const char *path = unit_path(*state, "locked.key");
        unit_write(path, 0600, text, len);
        assert_code(rows[i].structure, vmcp_key_load_any(path, &none, &err), err,
                    VMCP_E_PASSPHRASE);
    }
    assert_null(none);
}

static void modes(void **state)
{
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    auto_free char *pem = NULL;
    size_t len = 0;
    const char *path = unit_path(*state, "open.key");
    assert_good("", vmcp_key_private_pem(unit_key("ed25519"), &pem, &len, &err), err);
    unit_write(path, 0644, pem, len);
    assert_code("", vmcp_key_load_private(path, &none, &err), err, VMCP_E_FILE_MODE);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_code("", vmcp_key_load_any(path, &none, &err), err, VMCP_E_FILE_MODE);
    assert_null(none);
}

static void not_keys_at_all(void **state)
{
    static const char *const rows[] = {
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "0\x82\x04\xa2"};
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        assert_code(rows[i], vmcp_key_parse_private(rows[i], strlen(rows[i]), &none, &err), err,
                    VMCP_E_KEY);
        assert_code(rows[i], vmcp_key_parse_public(rows[i], strlen(rows[i]), &none, &err), err,
                    VMCP_E_KEY);
    }
    auto_free char *big = calloc(1, VMCP_KEY_FILE_MAX + 1);
    const char *path = unit_path(*state, "big.key");
    unit_write(path, 0600, big, VMCP_KEY_FILE_MAX + 1);
    assert_code("", vmcp_key_load_private(path, &none, &err), err, VMCP_E_LIMIT);
    assert_code("", vmcp_key_load_any(unit_path(*state, "absent"), &none, &err), err, VMCP_E_FILE);
    assert_null(none);
}

/* What is written is what was read, and the bits are the same as OpenSSL's own. */
static void written_and_read_again(void **state)
{
    (void)state;
    struct vmcp_error err;
    const struct vmcp_key *own = unit_key("p-256");
    auto_key struct vmcp_key *copy = NULL, *again = NULL;
    auto_free char *pem = NULL;
    auto_free unsigned char *der = NULL;
    size_t len = 0, want_len = 0;
    auto_free char *want =
        encode(vmcp_key_pkey(own), false, "DER", "SubjectPublicKeyInfo", NULL, &want_len);
    assert_good("", vmcp_key_public_der(own, &der, &len, &err), err);
    assert_int_equal(len, want_len);
    assert_memory_equal(der, want, len);
    assert_good("", vmcp_key_copy(own, &copy, &err), err);
    assert_ptr_not_equal(vmcp_key_pkey(copy), vmcp_key_pkey(own));
    assert_true(vmcp_key_is_private(copy));
    assert_good("", vmcp_key_private_pem(copy, &pem, &len, &err), err);
    assert_int_equal(strlen(pem), len);
    assert_good("", vmcp_key_parse_private(pem, len, &again, &err), err);
    assert_int_equal(EVP_PKEY_eq(vmcp_key_pkey(again), vmcp_key_pkey(own)), 1);
}

static void a_public_key_has_no_private_half(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_key struct vmcp_key *key = NULL, *copy = NULL;
    auto_free char *pem = NULL;
    char *none = NULL;
    size_t len = 0;
    assert_good("", vmcp_key_public_pem(unit_key("ed25519"), &pem, &err), err);
    assert_good("", vmcp_key_parse_public(pem, strlen(pem), &key, &err), err);
    assert_code("", vmcp_key_private_pem(key, &none, &len, &err), err, VMCP_E_KEY_PUBLIC_ONLY);
    assert_good("", vmcp_key_copy(key, &copy, &err), err);
    assert_false(vmcp_key_is_private(copy));
    struct vmcp_key *second = vmcp_key_ref(key);
    vmcp_key_unref(second);
    vmcp_key_unref(NULL);
    assert_string_equal(vmcp_key_type_name(key), "Ed25519"); /* still there */
}

static void thumbprint_of_rfc_7638(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof(path), "%s", unit_vector("jose-rfc/rfc7638_3.1.thp"));
    json_auto_t *jwk = unit_json(unit_vector("jose-rfc/rfc7638_3.1.jwk"));
    struct vmcp_error err;
    size_t len = 0;
    auto_key struct vmcp_key *key = NULL;
    auto_free char *want = unit_read(path, &len);
    assert_good("", vmcp_jwk_import(jwk, &key, &err), err);
    want[strcspn(want, "\r\n")] = '\0';
    assert_string_equal(vmcp_key_thumbprint(key), want);
}

/* RFC 8037, appendix A.3, prints the thumbprint of the key of appendix A.1. */
static void thumbprint_of_rfc_8037(void **state)
{
    (void)state;
    json_auto_t *vector = unit_json(unit_vector("jose-cookbook/curve25519/jws.json"));
    json_t *jwk = json_object_get(json_object_get(vector, "input"), "key");
    struct vmcp_error err;
    auto_key struct vmcp_key *key = NULL;
    json_object_del(jwk, "d");
    assert_good("", vmcp_jwk_import(jwk, &key, &err), err);
    assert_string_equal(vmcp_key_thumbprint(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_that_can_be_made),
        cmocka_unit_test(private_forms),
        cmocka_unit_test(a_key_behind_its_curve),
        cmocka_unit_test(public_forms),
        cmocka_unit_test(the_wrong_half),
        cmocka_unit_test(unsupported_keys),
        cmocka_unit_test(encrypted_keys),
        cmocka_unit_test(modes),
        cmocka_unit_test(not_keys_at_all),
        cmocka_unit_test(written_and_read_again),
        cmocka_unit_test(a_public_key_has_no_private_half),
        cmocka_unit_test(thumbprint_of_rfc_7638),
        cmocka_unit_test(thumbprint_of_rfc_8037),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
