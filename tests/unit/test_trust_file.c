/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

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

/* A set without a key that may answer is no trust, and one that says both is to be mended. */
static void retired_and_nothing_else(void **state)
{
    (void)state;
    static const char *const others[] = {NULL, "active", "next"};
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = new_trust();
    assert_code("",
                add_json(trust, json_pack("{s:[o]}", "keys", jwk_of("ed25519", "retired")), &err),
                err, VMCP_E_TRUST);
    assert_non_null(strstr(err.text, "retired"));
    assert_code("", add_json(trust, jwk_of("p-256", "retired"), &err), err, VMCP_E_TRUST);
    for (size_t i = 0; i < UNIT_COUNT(others); i++)
        for (int turn = 0; turn < 2; turn++) {
            auto_trust struct vmcp_trust *both = new_trust();
            json_t *good = jwk_of("ed25519", others[i]), *old = jwk_of("ed25519", "retired");
            assert_code(
                "",
                add_json(both,
                         json_pack("{s:[o, o]}", "keys", turn ? good : old, turn ? old : good),
                         &err),
                err, VMCP_E_TRUST);
            assert_non_null(strstr(err.text, "twice"));
        }
    auto_trust struct vmcp_trust *two = new_trust();
    auto_free char *pem = pem_of("ed25519");
    assert_good("", add(two, pem, &err), err); /* nor may two sources say both */
    assert_code("", add_json(two, jwk_of("ed25519", "retired"), &err), err, VMCP_E_TRUST);
}

/* RFC 7517, section 5: what is not meant for us is passed over. What is broken is not. */
static void foreign_keys_in_a_set(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AQ\",\"y\":\"AQ\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQ\"}",
        "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AQ\"}",
        "{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", /* too small */
        "{}",
    };
    static const char *const broken[] = {
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
        "{\"kty\":\"oct\",\"k\":\"AQ\"}", /* a secret that is none any more */
        "{\"kty\":\"RSA\",\"use\":\"enc\",\"d\":\"AQ\"}",
        "[]",
        "7",
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(foreign); i++) {
        auto_trust struct vmcp_trust *trust = new_trust(), *alone = new_trust();
        json_t *jwk = json_loads(foreign[i], 0, NULL);
        assert_non_null(jwk);
        assert_code(foreign[i], add_json(alone, json_pack("{s:[O]}", "keys", jwk), &err), err,
                    VMCP_E_TRUST);
        assert_non_null(strstr(err.text, "can be used"));
        assert_good(
            foreign[i],
            add_json(trust, json_pack("{s:[o, o]}", "keys", jwk, jwk_of("ed25519", NULL)), &err),
            err);
        assert_int_equal(vmcp_trust_count(trust), 1);
        assert_good(foreign[i], find(trust, "ed25519", &err), err);
    }
    for (size_t i = 0; i < UNIT_COUNT(broken); i++) {
        auto_trust struct vmcp_trust *trust = new_trust();
        json_t *jwk = json_loads(broken[i], JSON_DECODE_ANY, NULL);
        assert_non_null(jwk);
        assert_code(
            broken[i],
            add_json(trust, json_pack("{s:[o, o]}", "keys", jwk_of("ed25519", NULL), jwk), &err),
            err, VMCP_E_TRUST);
        assert_non_null(strstr(err.text, "key 2 of the JWK set"));
    }
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

/* DOMAIN.thumbprints may be longer than any file's name: then there is no such file. */
static void the_longest_domain_in_a_folder(void **state)
{
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = NULL;
    auto_free char *path = NULL, *pem = pem_of("ed25519");
    char domain[VMCP_DOMAIN_MAX + 1], name[VMCP_DOMAIN_MAX + 8];
    memset(domain, 'a', VMCP_DOMAIN_MAX);
    for (size_t i = 48; i < VMCP_DOMAIN_MAX; i += 48)
        domain[i] = '.';
    domain[VMCP_DOMAIN_MAX] = '\0';
    assert_good("", vmcp_trust_new(domain, &trust, &err), err);
    assert_good("", vmcp_trust_add_dir(trust, *state, &path, &err), err);
    assert_null(path);
    vmcp_trust_free(steal(&trust));
    domain[VMCP_DOMAIN_MAX - 2] = '\0'; /* this one's .pem has a name of 255 */
    assert_good("", vmcp_trust_new(domain, &trust, &err), err);
    snprintf(name, sizeof(name), "%s.pem", domain);
    unit_write(unit_path(*state, name), 0644, pem, strlen(pem));
    assert_good("", vmcp_trust_add_dir(trust, *state, &path, &err), err);
    assert_non_null(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_one_and_several),
        cmocka_unit_test(der),
        cmocka_unit_test(jwk_sets),
        cmocka_unit_test(retired_and_nothing_else),
        cmocka_unit_test(foreign_keys_in_a_set),
        cmocka_unit_test(sources_that_are_refused),
        cmocka_unit_test(private_keys),
        cmocka_unit_test(trust_folders),
        cmocka_unit_test(the_longest_domain_in_a_folder),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
