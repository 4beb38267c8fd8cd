/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/answer.h"
#include "lib/v1.h"

static const char vectors[] = "tests/vectors/vmcp-v1.json";
static const char public_key[] = "tests/vectors/v1-test-key.pub.pem";

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The cases of the vectors; a new reference. */
static json_t *load_cases(void)
{
    json_auto_t *doc = unit_json(vectors);
    json_t *cases = json_incref(json_object_get(doc, "cases"));
    assert_true(json_array_size(cases) >= 13);
    return cases;
}

/* The signed text is the reference signer's, byte for byte. */
static void signed_texts(void **state)
{
    (void)state;
    json_t *c;
    size_t i;
    json_auto_t *cases = load_cases();
    json_array_foreach(cases, i, c)
    {
        struct vmcp_error err;
        auto_buf struct vmcp_buf b = VMCP_BUF(1 << 20);
        assert_good(text_of(c, "name"), vmcp_v1_text(json_object_get(c, "params"), &b, &err), err);
        vmcp_buf_adds(&b, text_of(c, "salt"));
        assert_string_equal(b.data, text_of(c, "signed_text"));
    }
}

static int sign(const json_t *params, const char *salt, const struct vmcp_key *key, char **ret,
                struct vmcp_error *err)
{
    auto_v1_draft struct vmcp_v1_draft draft = {0};
    int rc = vmcp_v1_draft_make(params, &draft, err);
    return rc < 0 ? rc : vmcp_v1_sign(&draft, salt, key, ret, err);
}

/* And so is the signature: PKCS#1 v1.5 has no random in it. */
static void signatures(void **state)
{
    const char *vector = unit_vector("v1-test-key.der");
    json_t *c;
    size_t i, len = 0;
    struct vmcp_error err;
    auto_key struct vmcp_key *key = NULL;
    auto_free char *der = unit_read(vector, &len);
    const char *path = unit_path(*state, "v1.key");
    unit_write(path, 0600, der, len);
    assert_good("", vmcp_key_load_private(path, &key, &err), err);
    json_auto_t *cases = load_cases();
    json_array_foreach(cases, i, c)
    {
        auto_free char *answer = NULL;
        assert_good(text_of(c, "name"),
                    sign(json_object_get(c, "params"), text_of(c, "salt"), key, &answer, &err),
                    err);
        json_auto_t *parsed = json_loads(answer, 0, NULL);
        assert_string_equal(text_of(parsed, "signature"), text_of(c, "signature"));
    }
}

/* Below the schema check: each signature fits its text by the published key. */
static void signatures_by_the_public_key(void **state)
{
    (void)state;
    json_t *c;
    size_t i, len = 0;
    struct vmcp_error err;
    auto_key struct vmcp_key *key = NULL;
    auto_free char *pem = unit_read(public_key, &len);
    assert_good("", vmcp_key_parse_public(pem, len, &key, &err), err);
    json_auto_t *cases = load_cases();
    json_array_foreach(cases, i, c)
    {
        uint8_t sig[512];
        const char *text = text_of(c, "signed_text"), *encoded = text_of(c, "signature");
        assert_good(
            text_of(c, "name"),
            vmcp_base64_decode(VMCP_BASE64_PADDED, encoded, strlen(encoded), sig, &len, &err), err);
        assert_good(
            text_of(c, "name"),
            vmcp_sign_check(key, vmcp_alg_find("RS512"), text, strlen(text), sig, len, &err), err);
    }
}

/* The answer of a case, as it is sent: booleans as numbers, the signature beside them. */
static char *answer_of(const json_t *c)
{
    json_auto_t *answer = json_copy(json_object_get(c, "params"));
    const char *key;
    json_t *value;
    void *tmp;
    json_object_foreach_safe(answer, tmp, key, value)
    {
        if (json_is_boolean(value))
            json_object_set_new(answer, key, json_integer(json_is_true(value)));
    }
    json_object_set(answer, "signature", json_object_get(c, "signature"));
    return json_dumps(answer, JSON_COMPACT);
}

/* Through the door that all answers go through. The schema refuses numbers in strings there. */
static void answers(void **state)
{
    (void)state;
    json_t *c;
    size_t i;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new("cfg.example.org", &trust, &err), err);
    assert_good("", vmcp_trust_add_file(trust, public_key, &err), err);
    json_auto_t *cases = load_cases();
    json_array_foreach(cases, i, c)
    {
        auto_free char *text = answer_of(c);
        const char *name = text_of(c, "name"), *salt = text_of(c, "salt");
        struct vmcp_expect expect = {.format = VMCP_FORMAT_V1, .trust = trust, .salt = salt};
        auto_answer struct vmcp_answer answer = {0};
        int rc = vmcp_answer_verify(text, strlen(text), &expect, &answer, &err);
        if (strcmp(name, "numeric-string") == 0) {
            assert_int_equal(rc, -VMCP_E_MACHINE);
            continue;
        }
        assert_good(name, rc, err);
        expect.salt = "another";
        auto_answer struct vmcp_answer replayed = {0};
        assert_code(name, vmcp_answer_verify(text, strlen(text), &expect, &replayed, &err), err,
                    VMCP_E_SIGNATURE);
    }
}

static void values_that_cannot_be_signed(void **state)
{
    (void)state;
    static const char *const rows[] = {"{\"a\":1.5}",        "{\"a\":1.0}",        "{\"a\":null}",
                                       "{\"a\":[]}",         "{\"a\":{}}",         "{\"a\":[1]}",
                                       "{\"a\":2147483648}", "{\"a\":-2147483649}"};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        json_auto_t *params = json_loads(rows[i], 0, NULL);
        auto_buf struct vmcp_buf b = VMCP_BUF(100);
        char *none = NULL;
        assert_code(rows[i], vmcp_v1_text(params, &b, &err), err, VMCP_E_MACHINE);
        assert_code(rows[i], sign(params, "s", unit_key("rsa-2048"), &none, &err), err,
                    VMCP_E_MACHINE);
        assert_null(none);
    }
}

static void only_rsa_signs(void **state)
{
    (void)state;
    struct vmcp_error err;
    json_auto_t *params = json_pack("{s:s}", "a", "b");
    char *none = NULL;
    assert_code("", sign(params, "s", unit_key("ed25519"), &none, &err), err, VMCP_E_KEY_MISMATCH);
    assert_null(none);
}

/* The signature of the parameters is not a parameter; the given object stays as it was. */
static void the_object_is_borrowed(void **state)
{
    (void)state;
    struct vmcp_error err;
    json_auto_t *params = json_pack("{s:s, s:b, s:s}", "a", "b", "c", 1, "signature", "old");
    json_auto_t *before = json_deep_copy(params);
    auto_free char *answer = NULL;
    auto_buf struct vmcp_buf b = VMCP_BUF(100);
    assert_good("", vmcp_v1_text(params, &b, &err), err);
    assert_string_equal(b.data, "a=b\nc=1\n");
    assert_good("", sign(params, "s", unit_key("rsa-2048"), &answer, &err), err);
    assert_true(json_equal(params, before));
    json_auto_t *parsed = json_loads(answer, 0, NULL);
    assert_true(json_is_integer(json_object_get(parsed, "c")));
    assert_string_not_equal(text_of(parsed, "signature"), "old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_texts),
        cmocka_unit_test(signatures),
        cmocka_unit_test(signatures_by_the_public_key),
        cmocka_unit_test(answers),
        cmocka_unit_test(values_that_cannot_be_signed),
        cmocka_unit_test(only_rsa_signs),
        cmocka_unit_test(the_object_is_borrowed),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
