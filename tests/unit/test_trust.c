/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/json.h"
#include "lib/jwk.h"
#include "lib/trust.h"

#define DOMAIN "cfg.example.org"

static struct vmcp_trust *new_trust(void)
{
    struct vmcp_error err;
    struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new(DOMAIN, &trust, &err), err);
    return trust;
}

static char *pem_of(const char *kind)
{
    struct vmcp_error err;
    char *pem = NULL;
    assert_good(kind, vmcp_key_public_pem(unit_key(kind), &pem, &err), err);
    return pem;
}

static json_t *jwk_of(const char *kind, const char *status)
{
    struct vmcp_error err;
    json_t *jwk = NULL;
    assert_good(kind, vmcp_jwk_export(unit_key(kind), &jwk, &err), err);
    if (status)
        json_object_set_new(jwk, "status", json_string(status));
    return jwk;
}

static int add(struct vmcp_trust *trust, const char *text, struct vmcp_error *err)
{
    return vmcp_trust_add(trust, "source", text, strlen(text), err);
}

static int add_json(struct vmcp_trust *trust, json_t *value, struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(value, NULL);
    json_decref(value);
    return add(trust, text, err);
}

/* The code of looking `kind`'s key up by its thumbprint. */
static int find(const struct vmcp_trust *trust, const char *kind, struct vmcp_error *err)
{
    const struct vmcp_key *key = NULL;
    const char *thumbprint = vmcp_key_thumbprint(unit_key(kind));
    int rc =
        vmcp_trust_find(trust, DOMAIN, thumbprint, vmcp_alg_default(unit_key(kind)), &key, err);
    if (rc == 0)
        assert_string_equal(vmcp_key_thumbprint(key), thumbprint);
    return rc;
}

static void pem_one_and_several(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    auto_free char *ed = pem_of("ed25519"), *ec = pem_of("p-256"), *rsa = pem_of("rsa-2048");
    auto_free char *two = NULL;
    assert_good("", add(trust, ed, &err), err);
    assert_int_equal(vmcp_trust_count(trust), 1);
    assert_false(vmcp_trust_needs_keys(trust));
    assert_true(asprintf(&two, "words for people\n%smore words\n%sand an end", ec, rsa) > 0);
    assert_good("", add(trust, two, &err), err);
    assert_int_equal(vmcp_trust_count(trust), 3);
    static const char *const kinds[] = {"ed25519", "p-256", "rsa-2048"};
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++)
        assert_good(kinds[i], find(trust, kinds[i], &err), err);
    assert_string_equal(vmcp_trust_domain(trust), DOMAIN);
}

static void der(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    auto_free unsigned char *bytes = NULL;
    size_t len = 0;
    assert_good("", vmcp_key_public_der(unit_key("p-256"), &bytes, &len, &err), err);
    assert_good("", vmcp_trust_add(trust, "x", (const char *)bytes, len, &err), err);
    assert_good("", find(trust, "p-256", &err), err);
}

static void jwk_sets(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust(), *single = new_trust();
    assert_good(
        "",
        add_json(trust,
                 json_pack("{s:[o, o]}", "keys", jwk_of("ed25519", NULL), jwk_of("p-256", "next")),
                 &err),
        err);
    assert_good("", find(trust, "ed25519", &err), err);
    assert_good("", find(trust, "p-256", &err), err);
    assert_good("", add_json(single, jwk_of("rsa-2048", "active"), &err), err);
    assert_good("", find(single, "rsa-2048", &err), err);
}

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
    assert_true(!vmcp_trust_key(trust, 0) || !vmcp_trust_key(trust, 1));
    assert_code("", add_json(trust, jwk_of("rsa-2048", "revoked"), &err), err, VMCP_E_TRUST);
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

static void sources_that_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "   \n\n",
        "# only a comment\n",
        "hello",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":{}}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AQ\"}]}",
        "{\"keys\":[{}]}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X",   /* 42 characters */
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xss", /* 44 */
        "NzbLsXh8uDCcd+6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",  /* another alphabet */
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\nand more\n",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs x\n",
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_trust struct vmcp_trust *trust = new_trust();
        assert_code(rows[i], add(trust, rows[i], &err), err, VMCP_E_TRUST);
        assert_string_equal(err.where, "source");
    }
    /* what stands behind a NUL is not overlooked */
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    static const char hidden[] = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\0garbage";
    assert_code("NUL", vmcp_trust_add(trust, "source", hidden, sizeof(hidden) - 1, &err), err,
                VMCP_E_TRUST);
    auto_free char *big = calloc(1, VMCP_TRUST_FILE_MAX + 1);
    assert_code("big", vmcp_trust_add(trust, "source", big, VMCP_TRUST_FILE_MAX + 1, &err), err,
                VMCP_E_TRUST);
}

/* Whoever puts a private key into a trust file gave it away: an error, in each form. */
static void private_keys(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *pem = NULL;
    size_t len = 0;
    auto_trust struct vmcp_trust *trust = new_trust();
    assert_good("", vmcp_key_private_pem(unit_key("ed25519"), &pem, &len, &err), err);
    assert_code("", add(trust, pem, &err), err, VMCP_E_TRUST);
    json_t *jwk = jwk_of("ed25519", NULL);
    json_object_set_new(jwk, "d", json_string("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    assert_code("", add_json(trust, json_pack("{s:[o]}", "keys", jwk), &err), err, VMCP_E_TRUST);
    assert_non_null(strstr(err.text, "private"));
    assert_int_equal(vmcp_trust_count(trust), 0);
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

/* The first that is there is the whole trust: .pem, .jwks, .thumbprints. */
static void trust_folders(void **state)
{
    struct vmcp_error err;
    auto_free char *none = NULL, *first = NULL, *second = NULL, *pem = pem_of("ed25519");
    auto_trust struct vmcp_trust *a = new_trust(), *b = new_trust(), *c = new_trust();
    const char *thumbprints = unit_path(*state, DOMAIN ".thumbprints");
    assert_good("", vmcp_trust_add_dir(a, *state, &none, &err), err);
    assert_null(none);
    unit_write(unit_path(*state, "other.example.org.pem"), 0644, pem, strlen(pem));
    unit_write(thumbprints, 0644, vmcp_key_thumbprint(unit_key("p-256")), VMCP_THUMBPRINT_LEN);
    assert_good("", vmcp_trust_add_dir(a, *state, &first, &err), err);
    assert_string_equal(first, thumbprints);
    assert_true(vmcp_trust_needs_keys(a));
    const char *pem_path = unit_path(*state, DOMAIN ".pem");
    unit_write(pem_path, 0644, pem, strlen(pem));
    assert_good("", vmcp_trust_add_dir(b, *state, &second, &err), err);
    assert_string_equal(second, pem_path);
    assert_int_equal(vmcp_trust_count(b), 1);
    assert_good("", find(b, "ed25519", &err), err);
    unit_write(pem_path, 0644, "", 0); /* empty is an error, and not the next one's turn */
    assert_code("", vmcp_trust_add_dir(c, *state, &none, &err), err, VMCP_E_TRUST);
    assert_int_equal(unlink(pem_path), 0);
    assert_int_equal(symlink("/nonexistent", pem_path), 0); /* and so is one that cannot be read */
    assert_code("", vmcp_trust_add_dir(c, *state, &none, &err), err, VMCP_E_TRUST);
    assert_code("", vmcp_trust_add_file(c, unit_path(*state, "absent"), &err), err, VMCP_E_TRUST);
    const char *loop = unit_path(*state, "loop"); /* nor does a folder that cannot be searched */
    assert_int_equal(symlink("loop", loop), 0);
    assert_code("", vmcp_trust_add_dir(c, loop, &none, &err), err, VMCP_E_TRUST);
    assert_good("", vmcp_trust_add_dir(c, unit_path(*state, "no-folder"), &none, &err), err);
    assert_null(none);
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
        cmocka_unit_test(pem_one_and_several),
        cmocka_unit_test(der),
        cmocka_unit_test(jwk_sets),
        cmocka_unit_test(retired_keys),
        cmocka_unit_test(kids_are_computed),
        cmocka_unit_test(thumbprints_resolve),
        cmocka_unit_test(a_retired_key_resolves_to_nothing),
        cmocka_unit_test(keys_and_domains),
        cmocka_unit_test(with_and_without_kid),
        cmocka_unit_test(the_same_key_twice),
        cmocka_unit_test(sources_that_are_refused),
        cmocka_unit_test(private_keys),
        cmocka_unit_test(no_more_than_64),
        cmocka_unit_test(trust_folders),
        cmocka_unit_test(pem_of_a_set),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
