/* SPDX-License-Identifier: Apache-2.0 */
/* The deciding function on version 1. */
#include "unit.h"

#include "lib/answer.h"
#include "lib/v1.h"

#define SALT "Salt-1"

static struct vmcp_trust *trust_in(const char *first, const char *second)
{
    struct vmcp_error err;
    struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new("cfg.example.org", &trust, &err), err);
    assert_good("", vmcp_trust_add_key(trust, unit_key(first), &err), err);
    if (second)
        assert_good("", vmcp_trust_add_key(trust, unit_key(second), &err), err);
    return trust;
}

/* Sign the text that a lenient signer would sign for `json`, and put the signature into it as a
 * last member: the document stays as it is, duplicate keys and all. */
static char *sign_document(const char *json, const char *text)
{
    struct vmcp_error err;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    char encoded[VMCP_BASE64_CHARS(VMCP_SIGNATURE_MAX) + 1], *out = NULL;
    size_t len = 0;
    assert_good("",
                vmcp_sign(unit_key("rsa-2048"), vmcp_alg_find("RS512"), text, strlen(text), sig,
                          &len, &err),
                err);
    vmcp_base64_encode(VMCP_BASE64_PADDED, sig, len, encoded);
    assert_true(asprintf(&out, "%.*s,\"signature\":\"%s\"}", (int)strlen(json) - 1, json, encoded) >
                0);
    return out;
}

static char *good_answer(void)
{
    return sign_document("{\"name\":\"web\",\"secret\":\"s\",\"cpus\":2}",
                         "cpus=2\nname=web\nsecret=s\n" SALT);
}

static int verify_len(const char *text, size_t len, const char *name, struct vmcp_answer *ret,
                      struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = trust_in("rsa-2048", NULL);
    struct vmcp_expect e = {
        .format = VMCP_FORMAT_V1, .trust = trust, .salt = SALT, .name = name, .complete = true};
    return vmcp_answer_verify(text, len, &e, ret, err);
}

static int verify(const char *text, struct vmcp_error *err)
{
    auto_answer struct vmcp_answer a = {0};
    return verify_len(text, strlen(text), NULL, &a, err);
}

static void a_good_answer_of_version_1(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_answer struct vmcp_answer a = {0};
    auto_free char *text = good_answer();
    assert_good("", verify_len(text, strlen(text), "web", &a, &err), err);
    assert_int_equal(json_object_size(a.params), 3);
    assert_null(json_object_get(a.params, "signature"));
    assert_null(a.gce);
    assert_int_equal(a.count, 1);
    assert_string_equal(a.alg, "RS512");
    assert_string_equal(a.thumbprint, vmcp_key_thumbprint(unit_key("rsa-2048")));
    assert_string_equal(a.domain, "");
    assert_int_equal(a.unchecked, VMCP_UNCHECKED_DOMAIN | VMCP_UNCHECKED_MACHINE |
                                      VMCP_UNCHECKED_HOSTID | VMCP_UNCHECKED_TIME |
                                      VMCP_UNCHECKED_SERIAL);
}

static void the_name_that_was_asked_for(void **state)
{
    (void)state;
    static const char *const others[] = {"Web", "we", "web2", ""};
    auto_free char *text = good_answer();
    for (size_t i = 0; i < UNIT_COUNT(others); i++) {
        struct vmcp_error err;
        auto_answer struct vmcp_answer a = {0};
        assert_code(others[i], verify_len(text, strlen(text), others[i], &a, &err), err,
                    VMCP_E_MACHINE_MISMATCH);
    }
}

/* Documents whose text is signed rightly, and that are refused all the same. */
static void documents_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
        enum vmcp_code code;
    } rows[] = {
        {"{\"name\":\"n\",\"secret\":\"s\"}", "name=n\nsecret=s\n", VMCP_OK},
        {"{\"name\":\"n\",\"secret\":\"s\",\"zone\":\"z\"}", "name=n\nsecret=s\nzone=z\n", VMCP_OK},
        /* strict JSON */
        {"{\"name\":\"n\",\"secret\":\"s\",\"name\":\"n\"}", "name=n\nsecret=s\n",
         VMCP_E_ANSWER_MALFORMED},
        /* only strings and integers of 32 bits: what a lenient reader drops is not signed */
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":true}", "name=n\nsecret=s\nx=1\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":true}", "name=n\nsecret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":null}", "name=n\nsecret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":[]}", "name=n\nsecret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":{\"cpus\":1}}", "cpus=1\nname=n\nsecret=s\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":1.5}", "name=n\nsecret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":2147483648}", "name=n\nsecret=s\nx=2147483648\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":2147483647}", "name=n\nsecret=s\nx=2147483647\n",
         VMCP_OK},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":-2147483648}", "name=n\nsecret=s\nx=-2147483648\n",
         VMCP_OK},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\":-2147483649}", "name=n\nsecret=s\nx=-2147483649\n",
         VMCP_E_MACHINE},
        /* types are not signed, so the schema says which it is */
        {"{\"name\":\"n\",\"secret\":\"s\",\"ram\":\"512\"}", "name=n\nram=512\nsecret=s\n",
         VMCP_E_MACHINE},
        /* keys */
        {"{\"name\":\"n\",\"secret\":\"s\",\"x=y\":\"1\"}", "name=n\nsecret=s\nx=y=1\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\\nx=1\"}", "name=n\nsecret=s\nx=1\n", VMCP_E_SIGNATURE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"x\\ny\":\"1\"}", "name=n\nsecret=s\nx\ny=1\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"ApiPort\":80}", "apiport=80\nname=n\nsecret=s\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"Zone\":\"a\",\"zone\":\"b\"}",
         "zone=a\nname=n\nsecret=s\nzone=b\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"Signature\":\"x\"}", "signature=x\nname=n\nsecret=s\n",
         VMCP_E_MACHINE},
        /* what must be there, and what not together */
        {"{\"name\":\"n\"}", "name=n\n", VMCP_E_MACHINE},
        {"{\"secret\":\"s\"}", "secret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"memory\":1,\"ram\":1}",
         "memory=1\nname=n\nram=1\nsecret=s\n", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"diskURL\":\"u\"}", "diskurl=u\nname=n\nsecret=s\n",
         VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\"diskURL\":\"u\",\"diskChecksum\":\"c\"}",
         "diskchecksum=c\ndiskurl=u\nname=n\nsecret=s\n", VMCP_OK},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        char signed_text[512];
        snprintf(signed_text, sizeof(signed_text), "%s%s", rows[i].text, SALT);
        auto_free char *text = sign_document(rows[i].json, signed_text);
        if (rows[i].code)
            assert_code(rows[i].json, verify(text, &err), err, rows[i].code);
        else
            assert_good(rows[i].json, verify(text, &err), err);
    }
}

static void forms(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "x",
        "{\"name\":\"n\",\"secret\":\"s\"}",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":7}",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":null}",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"AAA\"}",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"AB==\"}", /* trailing bits */
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"A-_=\"}",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"AA==\"} x",
        "{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"AA==\",\"signature\":\"AA==\"}",
        "eyJhbGciOiJFZERTQSIsInR5cCI6InZtY3Arand0In0.e30.AA",
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        assert_code(rows[i], verify(rows[i], &err), err, VMCP_E_ANSWER_MALFORMED);
    assert_code("", verify("{\"name\":\"n\",\"secret\":\"s\",\"signature\":\"\"}", &err), err,
                VMCP_E_SIGNATURE);
}

/* Any spelling of the signature but the canonical one is refused. */
static void one_signature_one_spelling(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *good = good_answer();
    char *pad = strstr(good, "==\"}"); /* 256 bytes end in two pads */
    assert_non_null(pad);
    assert_good("", verify(good, &err), err);
    char last = pad[-1];
    pad[-1] = (char)(last + 1); /* a bit behind the last byte */
    assert_code("", verify(good, &err), err, VMCP_E_ANSWER_MALFORMED);
    pad[-1] = last;
    pad[1] = '\n';
    assert_code("", verify(good, &err), err, VMCP_E_ANSWER_MALFORMED);
    memcpy(pad, "\"} ", 4);
    assert_code("", verify(good, &err), err, VMCP_E_ANSWER_MALFORMED);
}

static void changed_answers(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *text = good_answer();
    char *value = strstr(text, "\"cpus\":2") + 7;
    *value = '3';
    assert_code("", verify(text, &err), err, VMCP_E_SIGNATURE);
    *value = '2';
    assert_good("", verify(text, &err), err);
    memcpy(strstr(text, "web"), "wab", 3);
    assert_code("", verify(text, &err), err, VMCP_E_SIGNATURE);
}

static void which_keys(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *text = good_answer();
    auto_trust struct vmcp_trust *none = trust_in("ed25519", "p-256");
    auto_trust struct vmcp_trust *mixed = trust_in("ed25519", "rsa-2048");
    auto_answer struct vmcp_answer a = {0};
    struct vmcp_expect e = {.format = VMCP_FORMAT_V1, .trust = none, .salt = SALT};
    assert_code("", vmcp_answer_verify(text, strlen(text), &e, &a, &err), err,
                VMCP_E_KEY_UNTRUSTED);
    e.trust = mixed;
    assert_good("", vmcp_answer_verify(text, strlen(text), &e, &a, &err), err);
}

/* A client asks for version 1 by name; an answer that looks like it is not taken for it. */
static void formats_do_not_mix(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *text = good_answer();
    auto_trust struct vmcp_trust *trust = trust_in("rsa-2048", NULL);
    auto_answer struct vmcp_answer a = {0};
    struct vmcp_expect e = {.format = VMCP_FORMAT_V2, .trust = trust, .salt = SALT};
    assert_code("", vmcp_answer_verify(text, strlen(text), &e, &a, &err), err,
                VMCP_E_ANSWER_MALFORMED);
    enum vmcp_format f = VMCP_FORMAT_V1;
    assert_good("", vmcp_format_parse("v2", &f, &err), err);
    assert_int_equal(f, VMCP_FORMAT_V2);
    assert_good("", vmcp_format_parse("v1", &f, &err), err);
    assert_int_equal(f, VMCP_FORMAT_V1);
    static const char *const bad[] = {"", "1", "V1", "v3", "auto"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], vmcp_format_parse(bad[i], &f, &err), err, VMCP_E_USAGE);
    assert_string_equal(vmcp_format_media_type(VMCP_FORMAT_V2), "application/jose");
    assert_string_equal(vmcp_format_media_type(VMCP_FORMAT_V1), "application/json");
}

static void too_large(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_answer struct vmcp_answer a = {0};
    auto_free char *big = malloc(VMCP_ANSWER_MAX + 1);
    memset(big, ' ', VMCP_ANSWER_MAX + 1);
    assert_code("", verify_len(big, VMCP_ANSWER_MAX + 1, NULL, &a, &err), err,
                VMCP_E_ANSWER_TOO_LARGE);
    assert_code("", verify_len(big, VMCP_ANSWER_MAX, NULL, &a, &err), err, VMCP_E_ANSWER_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_of_version_1),
        cmocka_unit_test(the_name_that_was_asked_for),
        cmocka_unit_test(documents_that_are_refused),
        cmocka_unit_test(forms),
        cmocka_unit_test(one_signature_one_spelling),
        cmocka_unit_test(changed_answers),
        cmocka_unit_test(which_keys),
        cmocka_unit_test(formats_do_not_mix),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
