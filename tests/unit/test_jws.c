/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/jwk.h"
#include "lib/jws.h"

static int parse(const char *text, const char *want_typ, struct vmcp_error *err)
{
    auto_jws struct vmcp_jws jws = {0};
    return vmcp_jws_parse(text, strlen(text), want_typ, &jws, err);
}

/* Sign, take apart, check: for each algorithm. */
static void there_and_back(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"EdDSA", "ed25519"},  {"Ed25519", "ed25519"},
                                          {"ES256", "p-256"},    {"PS256", "rsa-2048"},
                                          {"RS256", "rsa-2048"}, {"RS512", "rsa-2048"}};
    static const char payload[] = "{\"a\":\"\xc3\xa9\"}";
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct vmcp_key *key = unit_key(rows[i][1]);
        auto_free char *text = NULL;
        auto_jws struct vmcp_jws jws = {0};
        assert_good(rows[i][0],
                    vmcp_jws_sign(key, vmcp_alg_find(rows[i][0]), "t", "k", payload,
                                  strlen(payload), &text, &err),
                    err);
        assert_good(rows[i][0], vmcp_jws_parse(text, strlen(text), "t", &jws, &err), err);
        assert_string_equal(vmcp_alg_name(jws.alg), rows[i][0]);
        assert_string_equal(jws.typ, "t");
        assert_string_equal(jws.kid, "k");
        assert_int_equal(json_object_size(jws.header), 3);
        assert_string_equal(json_string_value(json_object_get(jws.payload, "a")), "\xc3\xa9");
        assert_ptr_equal(jws.signing_input, text);
        assert_int_equal(jws.signing_input_len, strrchr(text, '.') - text);
        assert_good(rows[i][0], vmcp_jws_check(&jws, key, &err), err);
    }
}

static void no_typ_and_no_kid(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *text = NULL;
    auto_jws struct vmcp_jws jws = {0};
    assert_good("",
                vmcp_jws_sign(unit_key("ed25519"), vmcp_alg_find("EdDSA"), NULL, NULL, "{}", 2,
                              &text, &err),
                err);
    assert_good("", vmcp_jws_parse(text, strlen(text), NULL, &jws, &err), err);
    assert_null(jws.typ);
    assert_null(jws.kid);
    assert_int_equal(json_object_size(jws.header), 1);
    assert_code("", parse(text, "vmcp+jwt", &err), err, VMCP_E_TYP);
}

static void a_changed_token(void **state)
{
    (void)state;
    struct vmcp_error err;
    const struct vmcp_key *key = unit_key("ed25519");
    auto_free char *text = NULL;
    assert_good("",
                vmcp_jws_sign(key, vmcp_alg_find("EdDSA"), NULL, NULL, "{\"machine\":\"a\"}", 15,
                              &text, &err),
                err);
    for (size_t i = 0; text[i]; i++) { /* each character, to another of the alphabet */
        auto_jws struct vmcp_jws jws = {0};
        char old = text[i];
        text[i] = old == 'A' ? 'B' : 'A';
        int rc = vmcp_jws_parse(text, strlen(text), NULL, &jws, &err);
        assert_row(text, rc < 0 || vmcp_jws_check(&jws, key, &err) < 0);
        text[i] = old;
    }
}

/* A header with one member more or another value; the signature over it is good. */
static void headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum vmcp_code code;
    } rows[] = {
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"}", VMCP_OK},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"kid\":\"x\",\"cty\":\"y\"}", VMCP_OK},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"crit\":[\"exp\"]}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"crit\":[]}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"jwk\":{}}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"jku\":\"https://a\"}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"x5c\":[\"AA==\"]}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"x5u\":\"https://a\"}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"x5t\":\"AA\"}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"x5t#S256\":\"AA\"}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"zip\":\"DEF\"}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"b64\":true}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"b64\":null}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"kid\":7}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"kid\":null}", VMCP_E_HEADER},
        {"{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", VMCP_E_TYP},
        {"{\"alg\":\"EdDSA\",\"typ\":\"VMCP+JWT\"}", VMCP_E_TYP},
        {"{\"alg\":\"EdDSA\",\"typ\":\"application/vmcp+jwt\"}", VMCP_E_TYP},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt \"}", VMCP_E_TYP},
        {"{\"alg\":\"EdDSA\",\"typ\":[\"vmcp+jwt\"]}", VMCP_E_TYP},
        {"{\"alg\":\"EdDSA\"}", VMCP_E_TYP},
        {"{\"alg\":\"none\"}", VMCP_E_TYP}, /* `typ` comes first */
        {"{\"alg\":\"none\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"None\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"HS256\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"HS512\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"ES384\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"RS384\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"PS512\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"eddsa\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":[\"EdDSA\"],\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"typ\":\"vmcp+jwt\"}", VMCP_E_ALG},
        {"{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"}", VMCP_E_ANSWER_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"} ", VMCP_OK},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"}{}", VMCP_E_ANSWER_MALFORMED},
        {"[\"alg\",\"EdDSA\"]", VMCP_E_ANSWER_MALFORMED},
        {"\"EdDSA\"", VMCP_E_ANSWER_MALFORMED},
        {"{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\",\"x\":\"\xff\"}", VMCP_E_ANSWER_MALFORMED},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", rows[i].header, "{}");
        if (rows[i].code)
            assert_code(rows[i].header, parse(token, "vmcp+jwt", &err), err, rows[i].code);
        else
            assert_good(rows[i].header, parse(token, "vmcp+jwt", &err), err);
    }
}

static void payloads(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",
                                      "[]",
                                      "1",
                                      "{\"a\":1,\"a\":2}",
                                      "{}{}",
                                      "{} x",
                                      "\xef\xbb\xbf{}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":}",
                                      "{\"a\":\"\xc0\xaf\"}"};
    static const char header[] = "{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"}";
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, bad[i]);
        assert_code(bad[i], parse(token, "vmcp+jwt", &err), err, VMCP_E_ANSWER_MALFORMED);
        assert_string_equal(err.where, "payload");
    }
    for (size_t depth = 32; depth <= 33; depth++) {
        char deep[256] = "";
        for (size_t i = 0; i < depth; i++)
            memcpy(deep + 5 * i, "{\"a\":", 6);
        strcat(deep, "1");
        memset(deep + 5 * depth + 1, '}', depth);
        auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, deep);
        if (depth == 32)
            assert_good("32", parse(token, "vmcp+jwt", &err), err);
        else
            assert_code("33", parse(token, "vmcp+jwt", &err), err, VMCP_E_ANSWER_MALFORMED);
    }
}

/* h is {"alg":"EdDSA"}, p is {}. */
#define H "eyJhbGciOiJFZERTQSJ9"
#define P "e30"

static void shapes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        H,
        H "." P,
        H "." P ".AA.AA",
        H "." P ".AA.",
        "." H "." P ".AA",
        "." P ".AA",
        H "..AA",
        H "." P ".AA==", /* padding */
        H "." P "=.AA",
        H "==." P ".AA",
        H "." P ".AB", /* trailing bits */
        H "."
          "e31"
          ".AA",
        H "." P ".A",   /* half a byte */
        H "." P ".A+A", /* the other alphabet */
        H "." P ".A/A",
        " " H "." P ".AA",
        H "." P ".AA\n",
        H "." P ".A A",
        H "\n." P ".AA",
        "{\"payload\":\"e30\",\"protected\":\"" H "\",\"signature\":\"AA\"}",
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], parse(bad[i], NULL, &err), err, VMCP_E_ANSWER_MALFORMED);
    auto_jws struct vmcp_jws jws = {0};
    assert_good("", vmcp_jws_parse(H "." P ".AA", 27, NULL, &jws, &err), err);
    assert_code("", vmcp_jws_check(&jws, unit_key("ed25519"), &err), err, VMCP_E_SIGNATURE);
    assert_code("NUL", vmcp_jws_parse(H "." P ".A\0A", 28, NULL, &jws, &err), err,
                VMCP_E_ANSWER_MALFORMED);
}

/* Without a signature it is a token like any other, and not good for any key. */
static void unsigned_tokens(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_jws struct vmcp_jws jws = {0};
    assert_code("", parse("eyJhbGciOiJub25lIn0." P ".", NULL, &err), err, VMCP_E_ALG);
    assert_good("", vmcp_jws_parse(H "." P ".", 25, NULL, &jws, &err), err);
    assert_int_equal(jws.signature_len, 0);
    assert_code("", vmcp_jws_check(&jws, unit_key("ed25519"), &err), err, VMCP_E_SIGNATURE);
    assert_code("", vmcp_jws_check(&jws, unit_key("p-256"), &err), err, VMCP_E_KEY_MISMATCH);
}

static void size_limit(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_jws jws = {0};
    auto_free char *big = malloc(VMCP_ANSWER_MAX + 1);
    memset(big, 'A', VMCP_ANSWER_MAX + 1);
    assert_code("", vmcp_jws_parse(big, VMCP_ANSWER_MAX + 1, NULL, &jws, &err), err,
                VMCP_E_ANSWER_TOO_LARGE);
    assert_code("", vmcp_jws_parse(big, VMCP_ANSWER_MAX, NULL, &jws, &err), err,
                VMCP_E_ANSWER_MALFORMED);
}

/* The compact token of a vector file, its key, and what becomes of it here. */
static void run_vector(const char *token_file, const char *jwk_file, enum vmcp_code want)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s", unit_vector(token_file));
    json_auto_t *jwk = jwk_file ? unit_json(unit_vector(jwk_file)) : NULL;
    struct vmcp_error err;
    auto_jws struct vmcp_jws jws = {0};
    size_t len = 0;
    auto_free char *text = unit_read(path, &len);
    while (len && text[len - 1] == '\n')
        len--;
    if (want) {
        assert_code(token_file, vmcp_jws_parse(text, len, NULL, &jws, &err), err, want);
        return;
    }
    static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi"};
    for (size_t i = 0; i < UNIT_COUNT(private); i++)
        json_object_del(jwk, private[i]); /* the RFCs print whole key pairs */
    auto_key struct vmcp_key *key = NULL;
    assert_good(jwk_file, vmcp_jwk_import(jwk, &key, &err), err);
    assert_good(token_file, vmcp_jws_parse(text, len, NULL, &jws, &err), err);
    assert_good(token_file, vmcp_jws_check(&jws, key, &err), err);
}

static void rfc_7515(void **state)
{
    (void)state;
    run_vector("jose-rfc/rfc7515_A.2.jwsc", "jose-rfc/rfc7515_A.2.jwk", VMCP_OK); /* RS256 */
    run_vector("jose-rfc/rfc7515_A.3.jwsc", "jose-rfc/rfc7515_A.3.jwk", VMCP_OK); /* ES256 */
    run_vector("jose-rfc/rfc7515_A.1.jwsc", NULL, VMCP_E_ALG);                    /* HS256 */
    run_vector("jose-rfc/rfc7515_A.5.jwsc", NULL, VMCP_E_ALG);                    /* none */
    run_vector("jose-rfc/rfc7515_A.4.jwsc", NULL, VMCP_E_ANSWER_MALFORMED); /* not an object */
    run_vector("jose-rfc/rfc7515_A.6.jwsg", NULL, VMCP_E_ANSWER_MALFORMED); /* JSON forms */
    run_vector("jose-rfc/rfc7515_A.7.jwsf", NULL, VMCP_E_ANSWER_MALFORMED);
    run_vector("jose-rfc/rfc7520_4.6.jwsf", NULL, VMCP_E_ANSWER_MALFORMED);
    run_vector("jose-rfc/rfc7520_4.8.jwsg", NULL, VMCP_E_ANSWER_MALFORMED);
}

/* Vectors whose payload is no JSON object are checked one layer below. */
static void check_compact(const char *text, const json_t *jwk, const char *alg)
{
    struct vmcp_error err;
    uint8_t sig[2048];
    size_t sig_len = 0;
    const char *dot = strrchr(text, '.');
    auto_key struct vmcp_key *key = NULL;
    assert_good(alg, vmcp_jwk_import(jwk, &key, &err), err);
    assert_good(
        alg,
        vmcp_base64_decode(VMCP_BASE64_URL, dot + 1, strcspn(dot + 1, "\n"), sig, &sig_len, &err),
        err);
    assert_good(
        alg,
        vmcp_sign_check(key, vmcp_alg_find(alg), text, (size_t)(dot - text), sig, sig_len, &err),
        err);
}

static void rfc_8037(void **state)
{
    (void)state;
    json_auto_t *doc = unit_json(unit_vector("jose-cookbook/curve25519/jws.json"));
    json_t *jwk = json_object_get(json_object_get(doc, "input"), "key");
    const json_t *output = json_object_get(doc, "output");
    json_object_del(jwk, "d");
    check_compact(json_string_value(json_object_get(output, "compact")), jwk, "EdDSA");
}

static void rfc_7520(void **state)
{
    (void)state;
    json_auto_t *jwk = unit_json(unit_vector("jose-cookbook/jwk/3_3.rsa_public_key.json"));
    json_auto_t *doc = unit_json(unit_vector("jose-cookbook/jws/4_1.rsa_v15_signature.json"));
    const json_t *output = json_object_get(doc, "output");
    check_compact(json_string_value(json_object_get(output, "compact")), jwk, "RS256");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),  cmocka_unit_test(no_typ_and_no_kid),
        cmocka_unit_test(a_changed_token), cmocka_unit_test(headers),
        cmocka_unit_test(payloads),        cmocka_unit_test(shapes),
        cmocka_unit_test(unsigned_tokens), cmocka_unit_test(size_limit),
        cmocka_unit_test(rfc_7515),        cmocka_unit_test(rfc_8037),
        cmocka_unit_test(rfc_7520),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
