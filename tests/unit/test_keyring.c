/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keyring.h"

#include "unit.h"

static void add(struct vmcp_keyring *ring, const char *kind, enum vmcp_key_state state)
{
    struct vmcp_error err = {0};
    auto_key struct vmcp_key *key = NULL;
    assert_int_equal(vmcp_key_generate(kind, &key, &err), 0);
    assert_int_equal(vmcp_keyring_add(ring, key, state, "some/where", &err), 0);
}

static void test_order(void **state)
{
    (void)state;
    auto_keyring struct vmcp_keyring ring = {0};
    assert_null(vmcp_keyring_signing_key(&ring, false));
    add(&ring, "rsa-2048", VMCP_KEY_ACTIVE);
    const struct vmcp_key *first_rsa = ring.entries[0].key;
    add(&ring, "rsa-2048", VMCP_KEY_ACTIVE);
    add(&ring, "ed25519", VMCP_KEY_NEXT);
    add(&ring, "p-256", VMCP_KEY_RETIRED);
    assert_ptr_equal(vmcp_keyring_signing_key(&ring, false), first_rsa);
    add(&ring, "p-256", VMCP_KEY_ACTIVE);
    add(&ring, "ed25519", VMCP_KEY_ACTIVE);
    static const enum vmcp_key_type types[] = {VMCP_KEY_ED25519, VMCP_KEY_ED25519, VMCP_KEY_P256,
                                               VMCP_KEY_P256,    VMCP_KEY_RSA,     VMCP_KEY_RSA};
    assert_int_equal(ring.count, 6);
    for (size_t i = 0; i < ring.count; i++)
        assert_int_equal(vmcp_key_type(ring.entries[i].key), types[i]);
    assert_ptr_equal(vmcp_keyring_signing_key(&ring, false), ring.entries[1].key);
    assert_ptr_equal(vmcp_keyring_signing_key(&ring, true), first_rsa);
}

static void test_refused(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    auto_keyring struct vmcp_keyring ring = {0};
    auto_key struct vmcp_key *key = NULL, *public = NULL;
    auto_free char *pem = NULL;
    assert_int_equal(vmcp_key_generate("ed25519", &key, &err), 0);
    assert_int_equal(vmcp_key_public_pem(key, &pem, &err), 0);
    assert_int_equal(vmcp_key_parse_public(pem, strlen(pem), &public, &err), 0);
    assert_int_equal(vmcp_keyring_add(&ring, public, VMCP_KEY_ACTIVE, "a/pub", &err),
                     -VMCP_E_KEY_PUBLIC_ONLY);
    assert_string_equal(err.where, "a/pub");
    assert_int_equal(vmcp_keyring_add(&ring, public, VMCP_KEY_NEXT, "a/pub", &err),
                     -VMCP_E_KEY_PUBLIC_ONLY);
    assert_int_equal(vmcp_keyring_add(&ring, public, VMCP_KEY_RETIRED, "a/pub", &err), 0);
    assert_int_equal(vmcp_keyring_add(&ring, key, VMCP_KEY_ACTIVE, "a/key", &err), -VMCP_E_KEY);
    assert_non_null(strstr(err.text, "retired/pub"));
    assert_int_equal(ring.count, 1);
}

static void test_full(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    auto_keyring struct vmcp_keyring ring = {0};
    for (int i = 0; i < VMCP_KEYRING_MAX; i++)
        add(&ring, "ed25519", VMCP_KEY_NEXT);
    auto_key struct vmcp_key *key = NULL;
    assert_int_equal(vmcp_key_generate("ed25519", &key, &err), 0);
    assert_int_equal(vmcp_keyring_add(&ring, key, VMCP_KEY_NEXT, "", &err), -VMCP_E_LIMIT);
}

static void test_jwks(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    auto_keyring struct vmcp_keyring ring = {0};
    json_auto_t *all = NULL, *fewer = NULL;
    add(&ring, "ed25519", VMCP_KEY_ACTIVE);
    add(&ring, "ed25519", VMCP_KEY_NEXT);
    add(&ring, "ed25519", VMCP_KEY_RETIRED);
    ring.entries[2].since = 1000;
    assert_int_equal(vmcp_keyring_jwks(&ring, 1000, &all, &err), 0);
    const json_t *keys = json_object_get(all, "keys");
    static const char *const states[] = {"active", "next", "retired"};
    assert_int_equal(json_array_size(keys), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *jwk = json_array_get(keys, i);
        assert_string_equal(json_string_value(json_object_get(jwk, "status")), states[i]);
        assert_string_equal(json_string_value(json_object_get(jwk, "kid")),
                            vmcp_key_thumbprint(ring.entries[i].key));
        assert_null(json_object_get(jwk, "d"));
    }
    assert_int_equal(vmcp_keyring_jwks(&ring, 1001, &fewer, &err), 0);
    assert_int_equal(json_array_size(json_object_get(fewer, "keys")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_jwks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
