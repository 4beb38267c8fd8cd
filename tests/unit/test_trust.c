/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

/* `active` and `next` answer; a retired key is known, and good for nothing. */
static void retired_keys(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    const struct vmcp_key *key = NULL;
    assert_good("",
                add_json(trust,
                         json_pack("{s:[o, o]}", "keys", jwk_of("ed25519", "retired"),
                                   jwk_of("p-256", "active")),
                         &err),
                err);
    assert_code("", find(trust, "ed25519", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_code("", vmcp_trust_find(trust, DOMAIN, NULL, vmcp_alg_find("EdDSA"), &key, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    assert_good("", find(trust, "p-256", &err), err);
    assert_int_equal(vmcp_trust_count(trust), 2);
    assert_string_equal(vmcp_trust_domain(trust), DOMAIN);
    assert_true(!vmcp_trust_key(trust, 0) || !vmcp_trust_key(trust, 1));
    assert_code("", add_json(trust, jwk_of("rsa-2048", "revoked"), &err), err, VMCP_E_TRUST);
}

/* Why a key that is there is not good is said: it is retired, or only its thumbprint is known. */
static void why_a_key_is_refused(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    assert_good("",
                add_json(trust,
                         json_pack("{s:[o, o]}", "keys", jwk_of("ed25519", "retired"),
                                   jwk_of("p-256", NULL)),
                         &err),
                err);
    assert_good("", add(trust, vmcp_key_thumbprint(unit_key("rsa-2048")), &err), err);
    assert_code("", find(trust, "ed25519", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_non_null(strstr(err.text, "retired"));
    assert_code("", find(trust, "rsa-2048", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_non_null(strstr(err.text, "only its thumbprint is known"));
    auto_trust struct vmcp_trust *empty = new_trust();
    assert_code("", find(empty, "p-256", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_non_null(strstr(err.text, "not among the trusted ones"));
}

/* A set's own `kid` is not believed: the thumbprint is computed. */
static void kids_are_computed(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    const struct vmcp_key *key = NULL;
    json_t *jwk = jwk_of("ed25519", NULL);
    json_object_set_new(jwk, "kid", json_string("trusted-2026"));
    assert_good("", add_json(trust, json_pack("{s:[o]}", "keys", jwk), &err), err);
    assert_code("",
                vmcp_trust_find(trust, DOMAIN, "trusted-2026", vmcp_alg_find("EdDSA"), &key, &err),
                err, VMCP_E_KEY_UNTRUSTED);
    assert_good("", find(trust, "ed25519", &err), err);
}

static void thumbprints_resolve(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    auto_free char *lines = NULL;
    assert_true(asprintf(&lines, "# keys of " DOMAIN "\n\n  %s  # the new one\r\n%s\n",
                         vmcp_key_thumbprint(unit_key("ed25519")),
                         vmcp_key_thumbprint(unit_key("p-256"))) > 0);
    assert_good("", add(trust, lines, &err), err);
    assert_int_equal(vmcp_trust_count(trust), 2);
    assert_true(vmcp_trust_needs_keys(trust));
    assert_code("", find(trust, "ed25519", &err), err, VMCP_E_KEY_UNTRUSTED);
    /* RSA is not among the thumbprints, the octet key is of no use: neither counts */
    json_auto_t *set = json_pack("{s:[o, o, {s:s, s:s}]}", "keys", jwk_of("ed25519", NULL),
                                 jwk_of("rsa-2048", NULL), "kty", "oct", "k", "AQ");
    auto_free char *jwks = vmcp_json_text(set, NULL);
    assert_good("", vmcp_trust_resolve(trust, jwks, strlen(jwks), &err), err);
    assert_good("", find(trust, "ed25519", &err), err);
    assert_code("", find(trust, "rsa-2048", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_code("", find(trust, "p-256", &err), err, VMCP_E_KEY_UNTRUSTED);
    assert_true(vmcp_trust_needs_keys(trust)); /* P-256's was not in the set */
    assert_code("", vmcp_trust_resolve(trust, "[]", 2, &err), err, VMCP_E_JSON);
}

static void a_retired_key_resolves_to_nothing(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    const char *thumbprint = vmcp_key_thumbprint(unit_key("ed25519"));
    assert_good("", vmcp_trust_add_thumbprint(trust, thumbprint, &err), err);
    json_auto_t *set = json_pack("{s:[o]}", "keys", jwk_of("ed25519", "retired"));
    auto_free char *jwks = vmcp_json_text(set, NULL);
    assert_good("", vmcp_trust_resolve(trust, jwks, strlen(jwks), &err), err);
    assert_code("", find(trust, "ed25519", &err), err, VMCP_E_KEY_UNTRUSTED);
    /* nor does one that the endpoint tells of twice, in whichever order; our own file stands */
    for (int turn = 0; turn < 2; turn++) {
        auto_trust struct vmcp_trust *twice = new_trust();
        assert_good("", vmcp_trust_add_thumbprint(twice, thumbprint, &err), err);
        assert_good("", vmcp_trust_add_key(twice, unit_key("p-256"), &err), err);
        json_t *good = jwk_of("ed25519", "active"), *old = jwk_of("ed25519", "retired");
        json_auto_t *both = json_pack("{s:[o, o, o]}", "keys", turn ? good : old, turn ? old : good,
                                      jwk_of("p-256", "retired"));
        auto_free char *text = vmcp_json_text(both, NULL);
        assert_good("", vmcp_trust_resolve(twice, text, strlen(text), &err), err);
        assert_code("", find(twice, "ed25519", &err), err, VMCP_E_KEY_UNTRUSTED);
        assert_good("", find(twice, "p-256", &err), err);
    }
}

static void keys_and_domains(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    struct vmcp_trust *none = NULL;
    const struct vmcp_key *key = NULL;
    const struct vmcp_alg *eddsa = vmcp_alg_find("EdDSA");
    const char *kid = vmcp_key_thumbprint(unit_key("ed25519"));
    assert_good("", vmcp_trust_add_key(trust, unit_key("ed25519"), &err), err);
    static const char *const others[] = {"other.example.org", "cfg.example.org.", "CFG.example.org",
                                         "example.org", ""};
    for (size_t i = 0; i < UNIT_COUNT(others); i++)
        assert_code(others[i], vmcp_trust_find(trust, others[i], kid, eddsa, &key, &err), err,
                    VMCP_E_KEY_UNTRUSTED);
    assert_good("", vmcp_trust_find(trust, NULL, kid, eddsa, &key, &err), err);
    assert_code("", vmcp_trust_new("Not A Domain", &none, &err), err, VMCP_E_DOMAIN_MALFORMED);
    vmcp_trust_free(NULL);
}

/* Without `kid`: the one key that fits, if there is exactly one. With it: the key must fit. */
static void with_and_without_kid(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    auto_key struct vmcp_key *second = NULL;
    const struct vmcp_key *key = NULL;
    const struct vmcp_alg *eddsa = vmcp_alg_find("EdDSA"), *es256 = vmcp_alg_find("ES256");
    assert_code("", vmcp_trust_find(trust, DOMAIN, NULL, eddsa, &key, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    assert_good("", vmcp_trust_add_key(trust, unit_key("ed25519"), &err), err);
    assert_good("", vmcp_trust_add_key(trust, unit_key("p-256"), &err), err);
    assert_good("", vmcp_trust_find(trust, DOMAIN, NULL, eddsa, &key, &err), err);
    assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(unit_key("ed25519")));
    assert_code(
        "",
        vmcp_trust_find(trust, DOMAIN, vmcp_key_thumbprint(unit_key("ed25519")), es256, &key, &err),
        err, VMCP_E_KEY_MISMATCH);
    assert_code("", vmcp_trust_find(trust, DOMAIN, "", eddsa, &key, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    assert_code("", vmcp_trust_find(trust, DOMAIN, NULL, vmcp_alg_find("RS256"), &key, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    assert_good("", vmcp_key_generate("ed25519", &second, &err), err);
    assert_good("", vmcp_trust_add_key(trust, second, &err), err);
    assert_code("two", vmcp_trust_find(trust, DOMAIN, NULL, eddsa, &key, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    assert_good("", find(trust, "ed25519", &err), err);
}

/* A key that is there already adds nothing and harms nothing; a thumbprint gets its key from
 * whatever source has it. */
static void the_same_key_twice(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    auto_free char *pem = pem_of("ed25519");
    const char *thumbprint = vmcp_key_thumbprint(unit_key("ed25519"));
    assert_good("", add(trust, thumbprint, &err), err);
    assert_true(vmcp_trust_needs_keys(trust));
    assert_good("", add(trust, pem, &err), err);
    assert_false(vmcp_trust_needs_keys(trust));
    assert_good("", add(trust, pem, &err), err);
    assert_good("", add_json(trust, jwk_of("ed25519", NULL), &err), err);
    assert_good("", add(trust, thumbprint, &err), err);
    assert_int_equal(vmcp_trust_count(trust), 1);
    assert_good("", find(trust, "ed25519", &err), err);
}

static void no_more_than_64(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
    for (int i = 0; i < VMCP_TRUST_KEYS_MAX; i++) {
        snprintf(thumbprint, sizeof(thumbprint), "%043d", i);
        assert_good("", vmcp_trust_add_thumbprint(trust, thumbprint, &err), err);
    }
    memset(thumbprint, 'x', VMCP_THUMBPRINT_LEN);
    assert_code("", vmcp_trust_add_thumbprint(trust, thumbprint, &err), err, VMCP_E_TRUST);
}

/* What travels in metadata is read again as the same set. */
static void pem_of_a_set(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust(), *again = new_trust(), *empty = new_trust();
    auto_free char *pem = NULL;
    char *none = NULL;
    assert_code("", vmcp_trust_pem(empty, &none, &err), err, VMCP_E_TRUST);
    assert_good("",
                add_json(trust,
                         json_pack("{s:[o, o, o]}", "keys", jwk_of("ed25519", NULL),
                                   jwk_of("p-256", "retired"), jwk_of("rsa-2048", NULL)),
                         &err),
                err);
    assert_good("", vmcp_trust_pem(trust, &pem, &err), err);
    assert_good("", add(again, pem, &err), err);
    assert_int_equal(vmcp_trust_count(again), 2);
    assert_code("", find(again, "p-256", &err), err, VMCP_E_KEY_UNTRUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retired_keys),
        cmocka_unit_test(why_a_key_is_refused),
        cmocka_unit_test(kids_are_computed),
        cmocka_unit_test(thumbprints_resolve),
        cmocka_unit_test(a_retired_key_resolves_to_nothing),
        cmocka_unit_test(keys_and_domains),
        cmocka_unit_test(with_and_without_kid),
        cmocka_unit_test(the_same_key_twice),
        cmocka_unit_test(no_more_than_64),
        cmocka_unit_test(pem_of_a_set),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
