/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/jwk.h"
#include "lib/thumbprint.h"

static void members_are_the_rfcs(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *kty, *members;
        size_t count;
    } rows[] = {{"ed25519", "OKP", "crv kty x", 3},
                {"p-256", "EC", "crv kty x y", 4},
                {"rsa-2048", "RSA", "e kty n", 3}};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct vmcp_key *key = unit_key(rows[i].kind);
        json_auto_t *members = NULL, *jwk = NULL;
        assert_good(rows[i].kind, vmcp_pkey_members(vmcp_key_pkey(key), &members, &err), err);
        assert_int_equal(json_object_size(members), rows[i].count);
        assert_string_equal(json_string_value(json_object_get(members, "kty")), rows[i].kty);
        const char *name;
        json_t *value;
        json_object_foreach(members, name, value)
        {
            assert_row(name, strstr(rows[i].members, name) && json_is_string(value));
        }
        assert_good(rows[i].kind, vmcp_jwk_export(key, &jwk, &err), err);
        assert_int_equal(json_object_size(jwk), rows[i].count + 2);
        assert_string_equal(json_string_value(json_object_get(jwk, "use")), "sig");
        assert_string_equal(json_string_value(json_object_get(jwk, "kid")),
                            vmcp_key_thumbprint(key));
    }
}

static void there_and_back(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ed25519", "p-256", "rsa-2048"};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
        json_auto_t *jwk = NULL;
        auto_key struct vmcp_key *key = NULL;
        assert_good(kinds[i], vmcp_jwk_export(unit_key(kinds[i]), &jwk, &err), err);
        assert_good(kinds[i], vmcp_jwk_import(jwk, &key, &err), err);
        assert_false(vmcp_key_is_private(key));
        assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(unit_key(kinds[i])));
    }
}

/* Small curve points and short moduli occur once in 256 keys: coordinates keep their leading
 * zeros. */
static void coordinates_are_padded(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (int i = 0; i < 300; i++) {
        auto_key struct vmcp_key *key = NULL, *back = NULL;
        json_auto_t *jwk = NULL;
        assert_good("", vmcp_key_generate("p-256", &key, &err), err);
        assert_good("", vmcp_jwk_export(key, &jwk, &err), err);
        assert_int_equal(json_string_length(json_object_get(jwk, "x")), 43);
        assert_int_equal(json_string_length(json_object_get(jwk, "y")), 43);
        assert_good("", vmcp_jwk_import(jwk, &back, &err), err);
        assert_string_equal(vmcp_key_thumbprint(back), vmcp_key_thumbprint(key));
    }
}

/* Export `kind`'s key, set `name` to the JSON `value` (NULL: take it away), import. */
static int import_with(const char *kind, const char *name, const char *value,
                       struct vmcp_error *err)
{
    json_auto_t *jwk = NULL;
    auto_key struct vmcp_key *key = NULL;
    struct vmcp_error ignored;
    assert_good(kind, vmcp_jwk_export(unit_key(kind), &jwk, &ignored), ignored);
    if (value)
        json_object_set_new(jwk, name, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(jwk, name);
    int rc = vmcp_jwk_import(jwk, &key, err);
    assert_true(rc == 0 || !key);
    if (rc == 0)
        assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(unit_key(kind)));
    return rc;
}

/* An own `kid` is not believed, and what is not ours is ignored. */
static void members_that_are_fine(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"ed25519", "kid", "\"2026-01-01\""},
        {"ed25519", "kid", NULL},
        {"ed25519", "use", NULL},
        {"ed25519", "alg", "\"EdDSA\""},
        {"ed25519", "alg", "\"Ed25519\""},
        {"p-256", "alg", "\"ES256\""},
        {"rsa-2048", "alg", "\"RS256\""},
        {"rsa-2048", "alg", "\"RS512\""},
        {"rsa-2048", "alg", "\"PS256\""},
        {"rsa-2048", "key_ops", "[\"verify\"]"},
        {"rsa-2048", "key_ops", "[\"encrypt\", \"verify\"]"},
        {"rsa-2048", "status", "\"active\""},
        {"rsa-2048", "x5t", "\"abc\""},
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        assert_good(rows[i][1], import_with(rows[i][0], rows[i][1], rows[i][2], &err), err);
}

static void members_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *name, *value;
        enum vmcp_code code;
    } rows[] = {
        {"ed25519", "d", "\"nWGx\"", VMCP_E_KEY},
        {"p-256", "d", "1", VMCP_E_KEY},
        {"rsa-2048", "d", "\"\"", VMCP_E_KEY},
        {"rsa-2048", "p", "\"AQ\"", VMCP_E_KEY},
        {"rsa-2048", "q", "null", VMCP_E_KEY},
        {"rsa-2048", "dp", "\"AQ\"", VMCP_E_KEY},
        {"rsa-2048", "dq", "\"AQ\"", VMCP_E_KEY},
        {"rsa-2048", "qi", "\"AQ\"", VMCP_E_KEY},
        {"rsa-2048", "oth", "[]", VMCP_E_KEY},
        {"ed25519", "k", "\"AQ\"", VMCP_E_KEY},
        {"ed25519", "use", "\"enc\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "use", "\"SIG\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "use", "[\"sig\"]", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "use", "null", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "key_ops", "[\"sign\"]", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "key_ops", "[]", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "key_ops", "\"verify\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "alg", "\"ES256\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "alg", "\"HS256\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "alg", "\"none\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "alg", "7", VMCP_E_KEY_UNSUPPORTED},
        {"p-256", "alg", "\"RS256\"", VMCP_E_KEY_UNSUPPORTED},
        {"rsa-2048", "alg", "\"PS512\"", VMCP_E_KEY_UNSUPPORTED},
        {"rsa-2048", "alg", "\"RSA-OAEP\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "kty", "\"oct\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "kty", "\"okp\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "kty", NULL, VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "kty", "1", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "crv", "\"X25519\"", VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "crv", "\"Ed448\"", VMCP_E_KEY_UNSUPPORTED},
        {"p-256", "crv", "\"P-384\"", VMCP_E_KEY_UNSUPPORTED},
        {"p-256", "crv", "\"secp256k1\"", VMCP_E_KEY_UNSUPPORTED},
        {"p-256", "crv", NULL, VMCP_E_KEY_UNSUPPORTED},
        {"ed25519", "x", NULL, VMCP_E_KEY},
        {"ed25519", "x", "\"\"", VMCP_E_KEY},
        {"ed25519", "x", "\"AAAA\"", VMCP_E_KEY},
        {"ed25519", "x", "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"", VMCP_E_KEY},
        {"ed25519", "x", "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp\"", VMCP_E_KEY},
        {"p-256", "y", NULL, VMCP_E_KEY},
        {"p-256", "y", "\"AQ\"", VMCP_E_KEY},
        /* not on the curve */
        {"p-256", "y", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"", VMCP_E_KEY},
        {"rsa-2048", "e", NULL, VMCP_E_KEY},
        {"rsa-2048", "e", "65537", VMCP_E_KEY},
        {"rsa-2048", "e", "\"AQABAQABAQABAQAB\"", VMCP_E_KEY},
        {"rsa-2048", "e", "\"AQ\"", VMCP_E_KEY_UNSUPPORTED},   /* 1: verifies anything */
        {"rsa-2048", "e", "\"AQAA\"", VMCP_E_KEY_UNSUPPORTED}, /* even */
        {"rsa-2048", "n", NULL, VMCP_E_KEY},
        {"rsa-2048", "n", "\"AQAB\"", VMCP_E_KEY_UNSUPPORTED}, /* 17 bits */
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char row[64];
        snprintf(row, sizeof(row), "%s %s %.30s", rows[i].kind, rows[i].name,
                 rows[i].value ? rows[i].value : "(absent)");
        assert_code(row, import_with(rows[i].kind, rows[i].name, rows[i].value, &err), err,
                    rows[i].code);
    }
}

/* RSA 8192 is the largest: a modulus of one bit more, and one that is far over. */
static void modulus_limits(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        uint8_t first;
        enum vmcp_code code;
    } rows[] = {{255, 0xff, VMCP_E_KEY_UNSUPPORTED},
                {256, 0x7f, VMCP_E_KEY_UNSUPPORTED},
                {256, 0x80, VMCP_OK},
                {1024, 0xff, VMCP_OK},
                {1025, 0x01, VMCP_E_KEY},
                {4096, 0xff, VMCP_E_KEY},
                {100000, 0xff, VMCP_E_KEY}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        auto_free uint8_t *n = malloc(rows[i].bytes);
        auto_free char *text = malloc(VMCP_BASE64_CHARS(rows[i].bytes) + 1);
        memset(n, 0xff, rows[i].bytes);
        n[0] = rows[i].first;
        vmcp_base64_encode(VMCP_BASE64_URL, n, rows[i].bytes, text);
        json_auto_t *jwk = json_pack("{s:s, s:s, s:s}", "kty", "RSA", "e", "AQAB", "n", text);
        auto_key struct vmcp_key *key = NULL;
        struct vmcp_error err = {0};
        char row[32];
        snprintf(row, sizeof(row), "%zu bytes", rows[i].bytes);
        assert_row(row, vmcp_jwk_import(jwk, &key, &err) == -(int)rows[i].code);
    }
}

static void not_objects(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_key *key = NULL;
    json_auto_t *array = json_array(), *text = json_string("x");
    assert_code("", vmcp_jwk_import(array, &key, &err), err, VMCP_E_KEY_UNSUPPORTED);
    assert_code("", vmcp_jwk_import(text, &key, &err), err, VMCP_E_KEY_UNSUPPORTED);
    assert_code("", vmcp_jwk_import(NULL, &key, &err), err, VMCP_E_KEY_UNSUPPORTED);
}

/* RFC 7517, appendix A: A.1 is public, A.2 private, A.3 symmetric. */
static void rfc_7517_sets(void **state)
{
    (void)state;
    char paths[3][4096];
    snprintf(paths[0], sizeof(paths[0]), "%s", unit_vector("jose-rfc/rfc7517_A.1.jwkset"));
    snprintf(paths[1], sizeof(paths[1]), "%s", unit_vector("jose-rfc/rfc7517_A.2.jwkset"));
    snprintf(paths[2], sizeof(paths[2]), "%s", unit_vector("jose-rfc/rfc7517_A.3.jwkset"));
    for (size_t set = 0; set < 3; set++) {
        json_auto_t *doc = unit_json(paths[set]);
        json_t *jwk;
        size_t i;
        json_array_foreach(json_object_get(doc, "keys"), i, jwk)
        {
            auto_key struct vmcp_key *key = NULL;
            struct vmcp_error err = {0};
            int rc = vmcp_jwk_import(jwk, &key, &err);
            const char *use = json_string_value(json_object_get(jwk, "use"));
            bool good = set == 0 && !(use && strcmp(use, "enc") == 0);
            assert_row(paths[set], (rc == 0) == good);
        }
        assert_true(i > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_the_rfcs),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(coordinates_are_padded),
        cmocka_unit_test(members_that_are_fine),
        cmocka_unit_test(members_that_are_refused),
        cmocka_unit_test(modulus_limits),
        cmocka_unit_test(not_objects),
        cmocka_unit_test(rfc_7517_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
