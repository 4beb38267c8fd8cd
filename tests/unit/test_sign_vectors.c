/* SPDX-License-Identifier: Apache-2.0 */
/* Wycheproof's signatures through our one verifying function. */
#include "unit.h"

static size_t from_hex(const char *hex, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (; hex[0] && hex[1] && n < max; hex += 2)
        assert_int_equal(sscanf(hex, "%2hhx", &out[n++]), 1);
    assert_int_equal(*hex, 0);
    return n;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* One case: "valid" must be good, "invalid" must not, "acceptable" is anyone's guess. */
static void run_case(const char *file, const struct vmcp_key *key, const char *alg,
                     const json_t *test)
{
    uint8_t msg[8192], sig[8192];
    struct vmcp_error err;
    size_t msg_len = from_hex(text_of(test, "msg"), msg, sizeof(msg));
    size_t sig_len = from_hex(text_of(test, "sig"), sig, sizeof(sig));
    const char *result = text_of(test, "result");
    char row[256];
    snprintf(row, sizeof(row), "%s %d: %s", file,
             (int)json_integer_value(json_object_get(test, "tcId")), text_of(test, "comment"));
    if (strcmp(result, "valid") == 0)
        assert_good(row, vmcp_sign_check(key, vmcp_alg_find(alg), msg, msg_len, sig, sig_len, &err),
                    err);
    else if (strcmp(result, "invalid") == 0)
        assert_code(row, vmcp_sign_check(key, vmcp_alg_find(alg), msg, msg_len, sig, sig_len, &err),
                    err, VMCP_E_SIGNATURE);
}

/* With `refuse`, all of the file's signatures are of another algorithm than `alg`. */
static void run_file(const char *name, const char *alg, size_t at_least, bool refuse)
{
    char path[512];
    snprintf(path, sizeof(path), "wycheproof/%s", name);
    json_auto_t *doc = unit_json(unit_vector(path));
    json_t *group, *test;
    size_t g, t, count = 0;
    json_array_foreach(json_object_get(doc, "testGroups"), g, group)
    {
        uint8_t der[4096];
        struct vmcp_error err;
        auto_key struct vmcp_key *key = NULL;
        size_t len = from_hex(text_of(group, "publicKeyDer"), der, sizeof(der));
        assert_good(name, vmcp_key_parse_public((const char *)der, len, &key, &err), err);
        json_array_foreach(json_object_get(group, "tests"), t, test)
        {
            if (refuse)
                json_object_set_new(test, "result", json_string("invalid"));
            run_case(name, key, alg, test);
            count++;
        }
    }
    assert_true(count >= at_least);
}

static void ed25519(void **state)
{
    (void)state;
    run_file("ed25519_test.json", "EdDSA", 150, false);
}

static void es256(void **state)
{
    (void)state;
    run_file("ecdsa_secp256r1_sha256_p1363_test.json", "ES256", 262, false);
}

static void ps256(void **state)
{
    (void)state;
    run_file("rsa_pss_2048_sha256_mgf1_32_test.json", "PS256", 108, false);
    run_file("rsa_pss_3072_sha256_mgf1_32_test.json", "PS256", 108, false);
}

static void rs256(void **state)
{
    (void)state;
    run_file("rsa_signature_2048_sha256_test.json", "RS256", 259, false);
    run_file("rsa_signature_3072_sha256_test.json", "RS256", 259, false);
    run_file("rsa_signature_4096_sha256_test.json", "RS256", 258, false);
}

static void rs512(void **state)
{
    (void)state;
    run_file("rsa_signature_2048_sha512_test.json", "RS512", 259, false);
    run_file("rsa_signature_3072_sha512_test.json", "RS512", 260, false);
    run_file("rsa_signature_4096_sha512_test.json", "RS512", 259, false);
    run_file("rsa_signature_8192_sha512_test.json", "RS512", 259, false);
}

/* PS512 is none of ours: not one of its signatures, good or bad, is taken for PS256. */
static void other_algorithms(void **state)
{
    (void)state;
    run_file("rsa_pss_4096_sha512_mgf1_64_test.json", "PS256", 100, true);
}

/* DER signatures, good or bad, are not what JWS means by ES256. */
static void ecdsa_in_der(void **state)
{
    (void)state;
    json_auto_t *doc = unit_json(unit_vector("wycheproof/ecdsa_secp256r1_sha256_test.json"));
    json_t *group, *test;
    size_t g, t;
    json_array_foreach(json_object_get(doc, "testGroups"), g, group)
    {
        uint8_t der[512];
        struct vmcp_error err;
        auto_key struct vmcp_key *key = NULL;
        size_t len = from_hex(text_of(group, "publicKeyDer"), der, sizeof(der));
        assert_good("", vmcp_key_parse_public((const char *)der, len, &key, &err), err);
        json_array_foreach(json_object_get(group, "tests"), t, test)
        {
            json_object_set_new(test, "result", json_string("invalid"));
            run_case("DER", key, "ES256", test);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519),          cmocka_unit_test(es256), cmocka_unit_test(ps256),
        cmocka_unit_test(other_algorithms), cmocka_unit_test(rs256), cmocka_unit_test(rs512),
        cmocka_unit_test(ecdsa_in_der),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
