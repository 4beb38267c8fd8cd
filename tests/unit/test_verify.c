/* SPDX-License-Identifier: Apache-2.0 */
/* The deciding function on version 2: each rule of protocol.md, "When is it good?", with its own
 * code, and which comes first where several are broken. */
#include "verify.h"

static void a_good_answer(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_answer struct vmcp_answer a = {0};
    auto_free char *payload = payload_with("gce", "{\"labels\":{\"a\":\"b\"}}");
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    assert_good("", vmcp_answer_verify(token, strlen(token), &e, &a, &err), err);
    json_auto_t *want = json_loads(machine, 0, NULL);
    assert_true(json_equal(a.params, want));
    assert_int_equal(json_object_size(a.gce), 1);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.serial, 7);
    assert_int_equal(a.iat, NOW);
    assert_int_equal(a.exp, NOW + 300);
    assert_string_equal(a.domain, DOMAIN);
    assert_string_equal(a.machine, "web");
    assert_string_equal(a.jti, "b4f7f0a6-0000-4000-8000-000000000000");
    assert_string_equal(a.alg, "EdDSA");
    assert_string_equal(a.thumbprint, vmcp_key_thumbprint(unit_key("ed25519")));
    assert_int_equal(a.unchecked, 0);
    assert_int_equal(a.notes.count, 0);
}

/* Key and header, by the same door. */
static void keys(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *ed = trust_in("ed25519"), *ec = trust_in("p-256");
    struct vmcp_expect e = expectation(ed), other = expectation(ec);
    auto_free char *payload = payload_with(NULL, NULL), *with_kid = NULL, *of_ec = NULL;
    auto_free char *plain = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    assert_true(asprintf(&with_kid, "{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"kid\":\"%s\"}",
                         vmcp_key_thumbprint(unit_key("ed25519"))) > 0);
    assert_true(asprintf(&of_ec, "{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"kid\":\"%s\"}",
                         vmcp_key_thumbprint(unit_key("p-256"))) > 0);
    auto_free char *named = unit_token(unit_key("ed25519"), "EdDSA", with_kid, payload);
    auto_free char *misnamed = unit_token(unit_key("ed25519"), "EdDSA", of_ec, payload);
    assert_good("no kid", verify(plain, &e, &err), err);
    assert_good("kid", verify(named, &e, &err), err);
    assert_code("another's trust", verify(plain, &other, &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_code("another's trust", verify(named, &other, &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_code("kid of a P-256 key", verify(misnamed, &other, &err), err, VMCP_E_KEY_MISMATCH);
    e.domain = "other.example.org"; /* keys are trusted for a domain */
    assert_code("another domain", verify(named, &e, &err), err, VMCP_E_KEY_UNTRUSTED);
}

static void forged_signatures(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_key struct vmcp_key *stranger = NULL;
    auto_free char *payload = payload_with(NULL, NULL);
    auto_free char *changed = payload_with("serial", "8");
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    auto_free char *wanted = unit_token(unit_key("ed25519"), "EdDSA", header, changed);
    assert_good("", vmcp_key_generate("ed25519", &stranger, &err), err);
    auto_free char *strange = unit_token(stranger, "EdDSA", header, payload);
    assert_code("a stranger's", verify(strange, &e, &err), err, VMCP_E_SIGNATURE);
    memcpy(strrchr(wanted, '.'), strrchr(token, '.'), strlen(strrchr(token, '.')));
    assert_code("another payload's", verify(wanted, &e, &err), err, VMCP_E_SIGNATURE);
    /* nothing of a payload counts before its signature does */
    auto_free char *expired = payload_with("exp", "1");
    auto_free char *both = unit_token(stranger, "EdDSA", header, expired);
    assert_code("expired too", verify(both, &e, &err), err, VMCP_E_SIGNATURE);
}

/* RSA's key verifies all three of its algorithms; the answer says which it was. */
static void every_algorithm(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"EdDSA", "ed25519"},  {"Ed25519", "ed25519"},
                                          {"ES256", "p-256"},    {"PS256", "rsa-2048"},
                                          {"RS256", "rsa-2048"}, {"RS512", "rsa-2048"}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_trust struct vmcp_trust *trust = trust_in(rows[i][1]);
        struct vmcp_expect e = expectation(trust);
        char h[64];
        snprintf(h, sizeof(h), "{\"alg\":\"%s\",\"typ\":\"vmcp+jwt\"}", rows[i][0]);
        auto_free char *payload = payload_with(NULL, NULL);
        auto_free char *token = unit_token(unit_key(rows[i][1]), rows[i][0], h, payload);
        auto_answer struct vmcp_answer a = {0};
        assert_good(rows[i][0], vmcp_answer_verify(token, strlen(token), &e, &a, &err), err);
        assert_string_equal(a.alg, rows[i][0]);
    }
}

/* Where several rules are broken, the code is that of the first. */
static void the_order_of_the_rules(void **state)
{
    (void)state;
    struct step {
        const char *claim, *value;
        enum vmcp_code code;
    };
    static const struct step steps[] = {
        {"machine", "{}", VMCP_E_MACHINE},         {"serial", "1", VMCP_E_SERIAL},
        {"exp", "1700009999", VMCP_E_LIFETIME},    {"iat", "1700000301", VMCP_E_NOT_YET_VALID},
        {"nonce", "\"x\"", VMCP_E_SALT_MISMATCH},  {"aud", "\"x\"", VMCP_E_HOSTID_MISMATCH},
        {"sub", "\"x\"", VMCP_E_MACHINE_MISMATCH}, {"iss", "\"x\"", VMCP_E_DOMAIN_MISMATCH},
    };
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    auto_trust struct vmcp_trust *other = trust_in("p-256");
    struct vmcp_expect e = expectation(trust);
    auto_free char *good = payload_with(NULL, NULL);
    json_auto_t *p = json_loads(good, 0, NULL);
    char *token = NULL;
    for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
        json_object_set_new(p, steps[i].claim, json_loads(steps[i].value, JSON_DECODE_ANY, NULL));
        auto_free char *text = json_dumps(p, JSON_COMPACT);
        free(token);
        token = unit_token(unit_key("ed25519"), "EdDSA", header, text);
        assert_code(steps[i].claim, verify(token, &e, &err), err, steps[i].code);
    }
    char *last = token + strlen(token) - 4; /* and now the signature, then the key, … */
    *last = *last == 'A' ? 'B' : 'A';
    assert_code("signature", verify(token, &e, &err), err, VMCP_E_SIGNATURE);
    e.trust = other;
    assert_code("key", verify(token, &e, &err), err, VMCP_E_KEY_UNTRUSTED);
    free(token);
    auto_free char *bad =
        unit_token(unit_key("ed25519"), "EdDSA", "{\"alg\":\"none\",\"typ\":\"JWT\"}", good);
    assert_code("header", verify(bad, &e, &err), err, VMCP_E_TYP);
    bad[strlen(bad) - 1] = '=';
    assert_code("form", verify(bad, &e, &err), err, VMCP_E_ANSWER_MALFORMED);
}

static void what_was_not_expected(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_answer struct vmcp_answer a = {0}, b = {0};
    auto_free char *payload = payload_with(NULL, NULL);
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    e.machine = NULL; /* allowed even when all else must be there: it is reported */
    assert_good("", vmcp_answer_verify(token, strlen(token), &e, &a, &err), err);
    assert_int_equal(a.unchecked, VMCP_UNCHECKED_MACHINE);
    assert_string_equal(a.machine, "web");
    e.domain = NULL;
    assert_code("no domain", verify(token, &e, &err), err, VMCP_E_USAGE);
    e.domain = DOMAIN;
    e.hostid = NULL;
    assert_code("no host id", verify(token, &e, &err), err, VMCP_E_USAGE);
    e.complete = false;
    e.domain = NULL;
    assert_good("", vmcp_answer_verify(token, strlen(token), &e, &b, &err), err);
    assert_int_equal(b.unchecked,
                     VMCP_UNCHECKED_MACHINE | VMCP_UNCHECKED_DOMAIN | VMCP_UNCHECKED_HOSTID);
    vmcp_answer_clear(&b);
    e.domain = DOMAIN;
    e.min_serial = 0; /* any serial will do: that is no check */
    assert_good("", vmcp_answer_verify(token, strlen(token), &e, &b, &err), err);
    assert_int_equal(b.unchecked,
                     VMCP_UNCHECKED_MACHINE | VMCP_UNCHECKED_HOSTID | VMCP_UNCHECKED_SERIAL);
    e.salt = NULL;
    assert_code("no salt", verify(token, &e, &err), err, VMCP_E_USAGE);
}

/* Names that are only reported must still be names. */
static void reported_names_are_names(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"iss", "\"Not A Domain\""}, {"iss", "\"\""},
                                          {"sub", "\"../../etc\""},    {"sub", "\"UPPER\""},
                                          {"sub", "\"a\\nb\""},        {"sub", "\"\""}};
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    e.complete = false;
    e.domain = e.machine = NULL;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_free char *payload = payload_with(rows[i][0], rows[i][1]);
        auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
        assert_code(rows[i][1], verify(token, &e, &err), err, VMCP_E_CLAIMS);
    }
}

static void sizes(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_free char *big = malloc(VMCP_ANSWER_MAX + 2);
    memset(big, 'A', VMCP_ANSWER_MAX + 1);
    big[VMCP_ANSWER_MAX + 1] = '\0';
    assert_code("1 MiB + 1", verify(big, &e, &err), err, VMCP_E_ANSWER_TOO_LARGE);
    big[VMCP_ANSWER_MAX] = '\0';
    assert_code("1 MiB", verify(big, &e, &err), err, VMCP_E_ANSWER_MALFORMED);
    assert_code("nothing", verify("", &e, &err), err, VMCP_E_ANSWER_MALFORMED);
}

static void count_check(void *arg, const char *what, const char *with, int rc,
                        const struct vmcp_error *err)
{
    char *seen = arg;
    assert_true(what[0] && with);
    assert_true(rc == 0 || err->code);
    snprintf(seen + strlen(seen), 200 - strlen(seen), "%s%s ", rc < 0 ? "!" : "", what);
}

/* Whoever listens hears each check, in order, and nothing behind a failure. */
static void checks_are_told(void **state)
{
    (void)state;
    struct vmcp_error err;
    char seen[200] = "";
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_free char *payload = payload_with(NULL, NULL);
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    e.on_check = count_check;
    e.on_check_arg = seen;
    assert_good("", verify(token, &e, &err), err);
    assert_string_equal(seen,
                        "form and header key signature iss sub aud nonce jti time serial machine ");
    seen[0] = '\0';
    e.hostid = "another";
    assert_code("", verify(token, &e, &err), err, VMCP_E_HOSTID_MISMATCH);
    assert_string_equal(seen, "form and header key signature iss sub !aud ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer),
        cmocka_unit_test(keys),
        cmocka_unit_test(forged_signatures),
        cmocka_unit_test(every_algorithm),
        cmocka_unit_test(the_order_of_the_rules),
        cmocka_unit_test(what_was_not_expected),
        cmocka_unit_test(reported_names_are_names),
        cmocka_unit_test(sizes),
        cmocka_unit_test(checks_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
