/* SPDX-License-Identifier: Apache-2.0 */
/* A signature means one thing only. Three kinds of text are signed: the version 1 signed text, the
 * signing input of a JWS, and the key list. No text is of two kinds, so that no signature over one
 * can be shown for another. By construction:
 *
 *   version 1   ends in a salt of A-Z a-z 0-9 -, has a newline before it and `=` in each line
 *   key list    ends in a newline, has `=` in each line
 *   JWS         base64url and one dot: no newline, no `=`
 *
 * Each decider below says whether a text can be of its kind, as leniently as it can be said; the
 * generator then makes texts of each kind, and each is of that kind only. */
#include "unit.h"

#include "lib/answer.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "lib/keylist.h"
#include "lib/machine.h"
#include "lib/name.h"
#include "lib/v1.h"

enum { ROUNDS = 400 };

static unsigned roll(unsigned below)
{
    static uint64_t x = 88172645463325252u; /* xorshift: the same run each time */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x % below);
}

/* 1 to `max` characters. */
static void random_word(char *out, size_t max, const char *alphabet)
{
    size_t n = 1 + roll((unsigned)max);
    for (size_t i = 0; i < n; i++)
        out[i] = alphabet[roll((unsigned)strlen(alphabet))];
    out[n] = '\0';
}

static struct vmcp_key *root_key(void)
{
    static struct vmcp_key *root;
    struct vmcp_error err;
    if (!root)
        assert_good("", vmcp_key_generate("rsa-2048", &root, &err), err);
    return root;
}

/* -- can this text be of that kind? ------------------------------------------------------------ */

/* Lines of key=value, and a salt. */
static bool can_be_v1(const char *text, size_t len)
{
    const char *salt = memrchr(text, '\n', len);
    if (!salt || vmcp_salt_check(salt + 1, len - (size_t)(salt + 1 - text), NULL) < 0)
        return false;
    for (const char *line = text; line <= salt;) {
        const char *end = memchr(line, '\n', (size_t)(salt + 1 - line));
        if (!memchr(line, '=', (size_t)(end - line)))
            return false;
        line = end + 1;
    }
    return true;
}

/* Our own reader, on a text that the root key has really signed. */
static bool can_be_list(const char *text, size_t len)
{
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t sig_len = 0;
    struct vmcp_error err;
    auto_keylist struct vmcp_keylist list = {0};
    const struct vmcp_alg *alg = vmcp_alg_find("RS512");
    assert_good("", vmcp_sign(root_key(), alg, text, len, sig, &sig_len, &err), err);
    return vmcp_keylist_read(text, len, sig, sig_len, root_key(), &list, &err) == 0;
}

/* Our own reader; which `typ` and `alg` the header has does not matter here. */
static bool can_be_jws(const char *text, size_t len)
{
    struct vmcp_error err = {0};
    auto_jws struct vmcp_jws jws = {0};
    auto_buf struct vmcp_buf token = VMCP_BUF(VMCP_ANSWER_MAX);
    vmcp_buf_add(&token, text, len);
    vmcp_buf_adds(&token, ".AAAA");
    int rc = vmcp_jws_parse(token.data, token.len, NULL, &jws, &err);
    return rc != -VMCP_E_ANSWER_MALFORMED && rc != -VMCP_E_ANSWER_TOO_LARGE;
}

enum kind { V1 = 1, LIST = 2, JWS = 4 };

static void assert_only(enum kind kind, const char *text, size_t len)
{
    int can = (can_be_v1(text, len) ? V1 : 0) | (can_be_list(text, len) ? LIST : 0) |
              (can_be_jws(text, len) ? JWS : 0);
    if (can != (int)kind)
        print_error("kinds %d, not %d:\n%.*s\n", can, kind, (int)len, text);
    assert_int_equal(can, kind);
}

/* -- texts of each kind ------------------------------------------------------------------------ */

/* A value that tries to be something else: a line of a list, a token, or what parsers stumble on.
 */
static void nasty_value(char *out, size_t size)
{
    static const char *const whole[] = {
        "eyJhbGciOiJSUzUxMiJ9.e30", "\na.example.org=AAAA\n", "a.example.org=AAAA", "\n", ".", "=",
        "eyJhbGciOiJSUzUxMiJ9",
    };
    if (roll(2))
        snprintf(out, size, "%s", whole[roll(UNIT_COUNT(whole))]);
    else
        random_word(out, size - 1, "ABCabc019+/=._-\n\r\t {}\":,%&");
}

/* A legal machine: what is not legal is left out again. */
static json_t *random_machine(void)
{
    json_t *m = json_object();
    char key[32], value[100];
    for (unsigned i = roll(6); i > 0; i--) {
        random_word(key, 3, "abcdefghijklmnopqrstuvwxyz");
        random_word(key + strlen(key), 20, "abcXYZ019_.-");
        nasty_value(value, sizeof(value));
        json_object_set_new(m, key, roll(3) ? json_string(value) : json_integer(roll(1000)));
    }
    nasty_value(value, sizeof(value));
    json_object_set_new(m, "name", json_string(value));
    nasty_value(value, sizeof(value));
    json_object_set_new(m, "secret", json_string(value));
    return m;
}

static bool is_legal(const json_t *machine)
{
    struct vmcp_error err;
    auto_diags struct vmcp_diags diags = {0};
    vmcp_machine_check(machine, "", &diags);
    return vmcp_diags_check(&diags, &err) == 0;
}

static void version_1_texts(void **state)
{
    (void)state;
    struct vmcp_error err;
    int legal = 0;
    for (int i = 0; i < ROUNDS; i++) {
        json_auto_t *machine = random_machine();
        auto_buf struct vmcp_buf text = VMCP_BUF(1 << 20);
        char salt[VMCP_SALT_MAX + 1];
        if (!is_legal(machine))
            continue;
        legal++;
        random_word(salt, VMCP_SALT_MAX, "ABCXYZabcxyz0189-");
        assert_good("", vmcp_v1_text(machine, &text, &err), err);
        vmcp_buf_adds(&text, salt);
        assert_only(V1, text.data, text.len);
    }
    assert_true(legal > ROUNDS / 2);
}

static void signing_inputs(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ed25519", "p-256", "rsa-2048"};
    struct vmcp_error err;
    for (int i = 0; i < ROUNDS; i++) {
        char domain[40], name[40], hostid[80], salt[80];
        json_auto_t *machine = random_machine();
        auto_free char *params = vmcp_json_text(machine, NULL), *token = NULL;
        random_word(domain, 30, "abcxyz019");
        random_word(name, 30, "abcxyz019");
        random_word(hostid, 70, "ABCabc019-");
        random_word(salt, 70, "ABCabc019-");
        const struct vmcp_claims claims = {.domain = domain,
                                           .machine = name,
                                           .hostid = hostid,
                                           .salt = salt,
                                           .iat = roll(2000000000),
                                           .ttl = VMCP_TTL_DEFAULT,
                                           .serial = roll(1000),
                                           .params = params};
        const struct vmcp_key *key = unit_key(kinds[roll(UNIT_COUNT(kinds))]);
        assert_good("", vmcp_answer_sign_v2(&claims, key, NULL, &token, &err), err);
        size_t len = (size_t)(strrchr(token, '.') - token);
        assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_."),
                         strlen(token));
        assert_only(JWS, token, len);
    }
}

static void key_lists(void **state)
{
    (void)state;
    struct vmcp_error err;
    for (int i = 0; i < ROUNDS / 8; i++) {
        auto_keylist struct vmcp_keylist list = {0};
        auto_free char *text = NULL;
        uint8_t sig[VMCP_SIGNATURE_MAX];
        size_t sig_len = 0;
        for (unsigned n = 1 + roll(8); n > 0; n--) {
            char domain[80];
            random_word(domain, 60, "abcxyz019"); /* `name` and `secret` are domains too */
            if (roll(4) == 0)
                snprintf(domain, sizeof(domain), "%s", roll(2) ? "name" : "secret");
            int rc = vmcp_keylist_add(&list, domain, unit_key("rsa-2048"), &err);
            assert_true(rc == 0 || rc == -VMCP_E_USAGE); /* twice */
        }
        assert_good("", vmcp_keylist_sign(&list, root_key(), &text, sig, &sig_len, &err), err);
        assert_only(LIST, text, strlen(text));
    }
}

/* -- machines and jobs ------------------------------------------------------------------------- */

#define JOB "{\"schedule\":\"0 8 * * *\",\"launch\":\"web\"}"
#define WEB "{\"name\":\"web\",\"secret\":\"a-long-enough-secret\"}"

static const char *const contents[VMCP_KINDS] = {WEB, JOB};

static struct vmcp_expect expectation(enum vmcp_kind kind, const struct vmcp_trust *trust)
{
    return (struct vmcp_expect){.kind = kind,
                                .trust = trust,
                                .domain = "cfg.example.org",
                                .machine = "web",
                                .hostid = "host-1",
                                .salt = "Salt-1",
                                .now = 1700000000,
                                .complete = true};
}

/* How it comes out where `kind` is expected; what is good is of that kind, and of nothing else. */
static int verify_as(enum vmcp_kind kind, const char *token, const struct vmcp_trust *trust,
                     struct vmcp_error *err)
{
    struct vmcp_expect e = expectation(kind, trust);
    auto_answer struct vmcp_answer a = {0};
    int rc = vmcp_answer_verify(token, strlen(token), &e, &a, err);
    if (rc == 0) {
        assert_int_equal(a.kind, kind);
        assert_int_equal(a.job != NULL, kind == VMCP_KIND_JOB);
        assert_int_equal(a.params != NULL, kind == VMCP_KIND_MACHINE);
    }
    return rc;
}

/* The machine `web` and the job `web`, of one domain and key, to the same question. */
static void a_machine_is_no_job(void **state)
{
    (void)state;
    static const char *const keys[] = {"ed25519", "p-256", "rsa-2048"};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(keys) * VMCP_KINDS; i++) {
        enum vmcp_kind kind = (enum vmcp_kind)(i % VMCP_KINDS), other = (enum vmcp_kind) !kind;
        auto_trust struct vmcp_trust *trust = NULL;
        auto_free char *token = NULL;
        struct vmcp_key *key = unit_key(keys[i / VMCP_KINDS]);
        const struct vmcp_claims claims = {.kind = kind,
                                           .domain = "cfg.example.org",
                                           .machine = "web",
                                           .hostid = "host-1",
                                           .salt = "Salt-1",
                                           .iat = 1700000000,
                                           .ttl = VMCP_TTL_DEFAULT,
                                           .params = contents[kind]};
        assert_good("", vmcp_trust_new("cfg.example.org", &trust, &err), err);
        assert_good("", vmcp_trust_add_key(trust, key, &err), err);
        assert_good("", vmcp_answer_sign_v2(&claims, key, NULL, &token, &err), err);
        assert_good(token, verify_as(kind, token, trust, &err), err);
        assert_code(token, verify_as(other, token, trust, &err), err, VMCP_E_TYP);
    }
}

/* What only who has the key could make: the header of one kind over the content of the other. */
static void a_mixture_is_neither(void **state)
{
    (void)state;
    static const struct {
        enum vmcp_kind kind;
        const char *typ, *content;
        enum vmcp_code code;
    } rows[] = {
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":" JOB, VMCP_OK},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"machine\":" WEB, VMCP_E_CLAIMS},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":" JOB ",\"machine\":" WEB, VMCP_E_CLAIMS},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":" JOB ",\"gce\":{}", VMCP_E_CLAIMS},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":" JOB ",\"count\":1", VMCP_E_CLAIMS},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":" WEB, VMCP_E_JOB},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":[]", VMCP_E_JOB},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"job\":null", VMCP_E_JOB},
        {VMCP_KIND_JOB, "vmcp-job+jwt", "\"x\":1", VMCP_E_JOB},
        {VMCP_KIND_JOB, "vmcp+jwt", "\"job\":" JOB, VMCP_E_TYP},
        {VMCP_KIND_JOB, "VMCP-JOB+JWT", "\"job\":" JOB, VMCP_E_TYP},
        {VMCP_KIND_JOB, "vmcp-job+jwt ", "\"job\":" JOB, VMCP_E_TYP},
        {VMCP_KIND_JOB, "vmcp-job", "\"job\":" JOB, VMCP_E_TYP},
        {VMCP_KIND_MACHINE, "vmcp+jwt", "\"machine\":" WEB, VMCP_OK},
        {VMCP_KIND_MACHINE, "vmcp+jwt", "\"job\":" JOB, VMCP_E_CLAIMS},
        {VMCP_KIND_MACHINE, "vmcp+jwt", "\"machine\":" WEB ",\"job\":" JOB, VMCP_E_CLAIMS},
        {VMCP_KIND_MACHINE, "vmcp+jwt", "\"machine\":" JOB, VMCP_E_MACHINE},
        {VMCP_KIND_MACHINE, "vmcp-job+jwt", "\"machine\":" WEB, VMCP_E_TYP},
    };
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new("cfg.example.org", &trust, &err), err);
    assert_good("", vmcp_trust_add_key(trust, unit_key("ed25519"), &err), err);
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char header[128], payload[1024];
        snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"typ\":\"%s\"}", rows[i].typ);
        snprintf(payload, sizeof(payload),
                 "{\"iss\":\"cfg.example.org\",\"sub\":\"web\",\"aud\":\"host-1\",\"nonce\":"
                 "\"Salt-1\",\"iat\":1700000000,\"exp\":1700000300,\"jti\":\"1\",\"serial\":1,%s}",
                 rows[i].content);
        auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
        if (rows[i].code == VMCP_OK)
            assert_good(payload, verify_as(rows[i].kind, token, trust, &err), err);
        else
            assert_code(payload, verify_as(rows[i].kind, token, trust, &err), err, rows[i].code);
    }
}

/* Version 1 has nothing to tell the kinds apart by: it carries machines only. */
static void version_1_has_no_jobs(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_trust struct vmcp_trust *trust = NULL;
    auto_answer struct vmcp_answer a = {0};
    assert_good("", vmcp_trust_new("cfg.example.org", &trust, &err), err);
    assert_good("", vmcp_trust_add_key(trust, unit_key("rsa-2048"), &err), err);
    struct vmcp_expect e = expectation(VMCP_KIND_JOB, trust);
    e.format = VMCP_FORMAT_V1;
    assert_code("", vmcp_answer_verify("{}", 2, &e, &a, &err), err, VMCP_E_USAGE);
}

/* The deciders are not too narrow: what is nearly of a kind is seen as such. */
static void texts_at_the_border(void **state)
{
    (void)state;
    assert_true(can_be_v1("name=a\nsecret=b\nSalt", 20));
    assert_false(can_be_v1("name=a\nsecret=b\n", 16)); /* without a salt: a list's form */
    assert_false(can_be_v1("name=a\nsecret=b\na=AAAA", 22));
    assert_false(can_be_v1("Salt", 4));
    assert_true(can_be_jws("eyJhbGciOiJSUzUxMiJ9.e30", 24));
    assert_false(can_be_jws("eyJhbGciOiJSUzUxMiJ9.e30\n", 25));
    assert_false(can_be_jws("eyJhbGciOiJSUzUxMiJ9.e30=", 25));
    assert_false(can_be_list("eyJhbGciOiJSUzUxMiJ9.e30", 24));
    assert_false(can_be_list("name=a\nsecret=b\nSalt", 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_texts),
        cmocka_unit_test(signing_inputs),
        cmocka_unit_test(key_lists),
        cmocka_unit_test(texts_at_the_border),
        cmocka_unit_test(a_machine_is_no_job),
        cmocka_unit_test(a_mixture_is_neither),
        cmocka_unit_test(version_1_has_no_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
