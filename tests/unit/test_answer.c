/* SPDX-License-Identifier: Apache-2.0 */
/* Making version 2 answers; judging them is test_verify.c's. */
#include "unit.h"

#include "lib/answer.h"
#include "lib/jws.h"

static struct vmcp_claims claims(void)
{
    return (struct vmcp_claims){.domain = "cfg.example.org",
                                .machine = "web",
                                .hostid = "host-1",
                                .salt = "Salt-1",
                                .iat = 1700000000,
                                .ttl = 300,
                                .serial = 7,
                                .params = "{\"name\":\"n\",\"secret\":\"s\"}"};
}

/* What was signed, as JSON text sorted by key; header into `header`. */
static json_t *payload_of(const struct vmcp_claims *c, const char *kind, const char *alg,
                          json_t **ret_header)
{
    struct vmcp_error err;
    auto_free char *text = NULL;
    auto_jws struct vmcp_jws jws = {0};
    assert_good(
        "", vmcp_answer_sign_v2(c, unit_key(kind), alg ? vmcp_alg_find(alg) : NULL, &text, &err),
        err);
    assert_good("", vmcp_jws_parse(text, strlen(text), "vmcp+jwt", &jws, &err), err);
    assert_good("", vmcp_jws_check(&jws, unit_key(kind), &err), err);
    if (ret_header)
        *ret_header = json_incref(jws.header);
    return json_incref(jws.payload);
}

static void the_claims(void **state)
{
    (void)state;
    struct vmcp_claims c = claims();
    json_auto_t *header = NULL;
    c.jti = "b4f7f0a6-0000-4000-8000-000000000000";
    c.gce = "{\"labels\":{}}";
    c.count = 3;
    json_auto_t *payload = payload_of(&c, "ed25519", NULL, &header);
    json_auto_t *want = json_loads(
        "{\"iss\":\"cfg.example.org\",\"sub\":\"web\",\"aud\":\"host-1\",\"nonce\":\"Salt-1\","
        "\"iat\":1700000000,\"exp\":1700000300,\"jti\":\"b4f7f0a6-0000-4000-8000-000000000000\","
        "\"serial\":7,\"machine\":{\"name\":\"n\",\"secret\":\"s\"},\"gce\":{\"labels\":{}},"
        "\"count\":3}",
        0, NULL);
    assert_true(json_equal(payload, want));
    assert_int_equal(json_object_size(header), 3);
    assert_string_equal(json_string_value(json_object_get(header, "alg")), "EdDSA");
    assert_string_equal(json_string_value(json_object_get(header, "typ")), "vmcp+jwt");
    assert_string_equal(json_string_value(json_object_get(header, "kid")),
                        vmcp_key_thumbprint(unit_key("ed25519")));
}

/* What is not said is not there, and each answer has an id of its own. */
static void what_is_left_out(void **state)
{
    (void)state;
    struct vmcp_claims c = claims();
    json_auto_t *a = payload_of(&c, "ed25519", NULL, NULL);
    json_auto_t *b = payload_of(&c, "ed25519", NULL, NULL);
    assert_int_equal(json_object_size(a), 9);
    assert_null(json_object_get(a, "gce"));
    assert_null(json_object_get(a, "count"));
    const char *id = json_string_value(json_object_get(a, "jti"));
    assert_int_equal(strlen(id), VMCP_JTI_LEN);
    assert_string_not_equal(id, json_string_value(json_object_get(b, "jti")));
}

static void algorithms(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"ed25519", NULL, "EdDSA"},     {"p-256", NULL, "ES256"},
        {"rsa-2048", NULL, "PS256"},    {"rsa-2048", "RS256", "RS256"},
        {"rsa-2048", "RS512", "RS512"}, {"ed25519", "Ed25519", "Ed25519"}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_claims c = claims();
        json_auto_t *header = NULL;
        json_decref(payload_of(&c, rows[i][0], rows[i][1], &header));
        assert_string_equal(json_string_value(json_object_get(header, "alg")), rows[i][2]);
    }
    struct vmcp_error err;
    struct vmcp_claims c = claims();
    char *none = NULL;
    assert_code("",
                vmcp_answer_sign_v2(&c, unit_key("ed25519"), vmcp_alg_find("ES256"), &none, &err),
                err, VMCP_E_KEY_MISMATCH);
    assert_null(none);
}

/* The names go into JSON as they are: none that needs escaping gets that far. */
static void claims_that_are_refused(void **state)
{
    (void)state;
    struct vmcp_claims rows[12];
    enum vmcp_code codes[UNIT_COUNT(rows)];
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        rows[i] = claims();
    rows[0].domain = "a\",\"sub\":\"b";
    codes[0] = VMCP_E_DOMAIN_MALFORMED;
    rows[1].machine = "a\"b";
    codes[1] = VMCP_E_NAME_MALFORMED;
    rows[2].hostid = "a b";
    codes[2] = VMCP_E_HOSTID_MALFORMED;
    rows[3].hostid = "";
    codes[3] = VMCP_E_HOSTID_MALFORMED;
    rows[4].salt = "a\nb";
    codes[4] = VMCP_E_SALT_MALFORMED;
    rows[5].salt = "";
    codes[5] = VMCP_E_SALT_MALFORMED;
    rows[6].ttl = 29;
    codes[6] = VMCP_E_LIFETIME;
    rows[7].ttl = 3601;
    codes[7] = VMCP_E_LIFETIME;
    rows[8].ttl = -300;
    codes[8] = VMCP_E_LIFETIME;
    rows[9].serial = -1;
    codes[9] = VMCP_E_CONFIG;
    rows[10].serial = VMCP_SERIAL_MAX + INT64_C(1);
    codes[10] = VMCP_E_CONFIG;
    rows[11].domain = "";
    codes[11] = VMCP_E_DOMAIN_MALFORMED;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        char row[16], *none = NULL;
        snprintf(row, sizeof(row), "%zu", i);
        assert_code(row, vmcp_answer_sign_v2(&rows[i], unit_key("ed25519"), NULL, &none, &err), err,
                    codes[i]);
        assert_null(none);
    }
}

/* No answer is signed that every client would refuse for its size. */
static void the_largest_answer(void **state)
{
    (void)state;
    static const size_t sizes[] = {VMCP_ANSWER_MAX / 4 * 3 - 1000, VMCP_ANSWER_MAX / 4 * 3,
                                   VMCP_ANSWER_MAX};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        struct vmcp_error err;
        struct vmcp_claims c = claims();
        auto_free char *params = malloc(sizes[i] + 1), *text = NULL;
        memset(params, ' ', sizes[i]);
        params[sizes[i]] = '\0';
        memcpy(params, "{}", 2);
        c.params = params;
        if (i == 0) {
            assert_good("", vmcp_answer_sign_v2(&c, unit_key("ed25519"), NULL, &text, &err), err);
            assert_true(strlen(text) <= VMCP_ANSWER_MAX);
        } else {
            assert_code("", vmcp_answer_sign_v2(&c, unit_key("ed25519"), NULL, &text, &err), err,
                        VMCP_E_LIMIT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_claims),         cmocka_unit_test(what_is_left_out),
        cmocka_unit_test(algorithms),         cmocka_unit_test(claims_that_are_refused),
        cmocka_unit_test(the_largest_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
