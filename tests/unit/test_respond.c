/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/answer.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "lib/respond.h"

enum { NOW = 1700000000 };

static struct vmcp_question question(enum vmcp_format format)
{
    return (struct vmcp_question){.format = format, .salt = "Salt-1", .hostid = "host-1"};
}

/* Answer a question with the machine file `text`. */
static int respond(const char *text, const struct vmcp_question *q, char **ret, char *jti,
                   struct vmcp_error *err)
{
    static const uint8_t secret[32] = {1, 2, 3};
    auto_config struct vmcp_config c = {0};
    struct vmcp_responder r = {
        .domain = "cfg.example.org", .ttl = 300, .secret = secret, .secret_len = sizeof(secret)};
    struct vmcp_subject s = {.config = &c};
    struct vmcp_error ignored;
    assert_good(text, vmcp_config_parse("web", text, strlen(text), -1, &c, NULL, &ignored),
                ignored);
    const struct vmcp_key *key = unit_key(q->format == VMCP_FORMAT_V1 ? "rsa-2048" : "ed25519");
    return vmcp_respond(&r, &s, q, key, NULL, NOW, ret, jti, err);
}

/* The version 2 payload, or the version 1 object. */
static json_t *answer_to(const char *text, const struct vmcp_question *q)
{
    struct vmcp_error err;
    char jti[VMCP_JTI_LEN + 1];
    auto_free char *answer = NULL;
    auto_jws struct vmcp_jws jws = {0};
    assert_good(text, respond(text, q, &answer, jti, &err), err);
    if (q->format == VMCP_FORMAT_V1) {
        assert_string_equal(jti, "");
        return json_loads(answer, 0, NULL);
    }
    assert_good(text, vmcp_jws_parse(answer, strlen(answer), "vmcp+jwt", &jws, &err), err);
    assert_string_equal(jti, json_string_value(json_object_get(jws.payload, "jti")));
    return json_incref(jws.payload);
}

#define PLAIN "{\"name\":\"n\",\"secret\":\"s\"}"

static void version_2(void **state)
{
    (void)state;
    struct vmcp_question q = question(VMCP_FORMAT_V2);
    json_auto_t *p =
        answer_to("{\"serial\":9,\"count\":2,\"machine\":" PLAIN ",\"gce\":{\"a\":1}}", &q);
    assert_string_equal(json_string_value(json_object_get(p, "iss")), "cfg.example.org");
    assert_string_equal(json_string_value(json_object_get(p, "sub")), "web");
    assert_string_equal(json_string_value(json_object_get(p, "aud")), "host-1");
    assert_string_equal(json_string_value(json_object_get(p, "nonce")), "Salt-1");
    assert_int_equal(json_integer_value(json_object_get(p, "iat")), NOW);
    assert_int_equal(json_integer_value(json_object_get(p, "exp")), NOW + 300);
    assert_int_equal(json_integer_value(json_object_get(p, "serial")), 9);
    assert_int_equal(json_integer_value(json_object_get(p, "count")), 2);
    assert_int_equal(json_object_size(json_object_get(p, "gce")), 1);
    json_auto_t *plain = answer_to(PLAIN, &q);
    assert_null(json_object_get(plain, "count"));
    assert_null(json_object_get(plain, "gce"));
}

static void version_1(void **state)
{
    (void)state;
    struct vmcp_question q = question(VMCP_FORMAT_V1);
    json_auto_t *a = answer_to("{\"name\":\"n\",\"secret\":\"s\",\"on\":true}", &q);
    assert_int_equal(json_object_size(a), 4);
    assert_true(json_is_integer(json_object_get(a, "on")));
    json_auto_t *forced = answer_to("{\"v1\":true,\"machine\":" PLAIN ",\"gce\":{\"a\":1}}", &q);
    assert_null(json_object_get(forced, "gce"));
    assert_int_equal(json_object_size(forced), 3);
    q.hostid[0] = '\0'; /* version 1 may come without */
    json_auto_t *anonymous = answer_to(PLAIN, &q);
    assert_int_equal(json_object_size(anonymous), 3);
}

static void what_version_1_cannot_carry(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"machine\":" PLAIN ",\"gce\":{\"a\":1}}",
        "{\"machine\":" PLAIN ",\"gce\":{}}",
        "{\"machine\":" PLAIN ",\"count\":2}",
        "{\"machine\":" PLAIN ",\"count\":2,\"v1\":true}",
    };
    struct vmcp_question q = question(VMCP_FORMAT_V1);
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        char jti[VMCP_JTI_LEN + 1], *none = NULL;
        assert_code(rows[i], respond(rows[i], &q, &none, jti, &err), err, VMCP_E_VERSION_2_ONLY);
        assert_null(none);
    }
}

/* All macros of one answer see the same asker, the same UUID, the same time. */
static void macros(void **state)
{
    (void)state;
    static const char text[] =
        "{\"machine\":{\"name\":\"n-${vmcp.hostid}\",\"secret\":\"${vmcp.hmac.session}\","
        "\"userData\":\"${vmcp.salt} ${vmcp.now} ${HOME} $${vmcp.salt}\",\"id\":\"${vmcp.uuid}\"},"
        "\"gce\":{\"labels\":{\"id\":\"${vmcp.uuid}\"}},\"v1\":true}";
    for (int format = 0; format < 2; format++) {
        struct vmcp_question q = question((enum vmcp_format)format);
        json_auto_t *p = answer_to(text, &q);
        const json_t *m = format == VMCP_FORMAT_V1 ? p : json_object_get(p, "machine");
        const char *id = json_string_value(json_object_get(m, "id"));
        assert_string_equal(json_string_value(json_object_get(m, "name")), "n-host-1");
        assert_int_equal(json_string_length(json_object_get(m, "secret")), 64);
        assert_string_equal(json_string_value(json_object_get(m, "userData")),
                            "Salt-1 2023-11-14T22:13:20Z ${HOME} ${vmcp.salt}");
        assert_int_equal(strlen(id), VMCP_JTI_LEN);
        if (format == VMCP_FORMAT_V2) {
            const json_t *labels = json_object_get(json_object_get(p, "gce"), "labels");
            assert_string_equal(json_string_value(json_object_get(labels, "id")), id);
            assert_string_not_equal(json_string_value(json_object_get(p, "jti")), id);
        }
        json_auto_t *again = answer_to(text, &q);
        const json_t *n = format == VMCP_FORMAT_V1 ? again : json_object_get(again, "machine");
        assert_string_not_equal(json_string_value(json_object_get(n, "id")), id);
        assert_string_equal(json_string_value(json_object_get(n, "secret")),
                            json_string_value(json_object_get(m, "secret")));
    }
}

static void macros_want_a_host_id(void **state)
{
    (void)state;
    struct vmcp_error err;
    char jti[VMCP_JTI_LEN + 1], *none = NULL;
    struct vmcp_question q = question(VMCP_FORMAT_V1);
    q.hostid[0] = '\0';
    assert_code("", respond("{\"name\":\"${vmcp.hostid}\",\"secret\":\"s\"}", &q, &none, jti, &err),
                err, VMCP_E_HOSTID_REQUIRED);
    assert_code("", respond("{\"name\":\"n\",\"secret\":\"${vmcp.hmac.a}\"}", &q, &none, jti, &err),
                err, VMCP_E_HOSTID_REQUIRED);
    assert_null(none);
}

static void an_hmac_wants_a_secret(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"n\",\"secret\":\"${vmcp.hmac.a}\"}";
    struct vmcp_error err;
    char jti[VMCP_JTI_LEN + 1], *none = NULL;
    auto_config struct vmcp_config c = {0};
    struct vmcp_question q = question(VMCP_FORMAT_V2);
    struct vmcp_responder r = {.domain = "cfg.example.org", .ttl = 300};
    struct vmcp_subject s = {.config = &c};
    assert_good("", vmcp_config_parse("web", text, strlen(text), -1, &c, NULL, &err), err);
    assert_code("", vmcp_respond(&r, &s, &q, unit_key("ed25519"), NULL, NOW, &none, jti, &err), err,
                VMCP_E_MACRO);
}

/* A server keeps the drafts of a machine without macros; the answers say the same, whatever the
 * length of what stands before the rest. */
static void kept_drafts(void **state)
{
    (void)state;
    struct vmcp_error err;
    char jti[VMCP_JTI_LEN + 1];
    struct vmcp_question q = question(VMCP_FORMAT_V2);
    struct vmcp_responder r = {.domain = "cfg.example.org", .ttl = 300};
    for (int i = 0; i < 6; i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"count\":2,\"serial\":7,\"machine\":" PLAIN ",\"gce\":{\"a\":\"%.*s\"}}", i,
                 "xxxxxx");
        auto_config struct vmcp_config c = {0};
        auto_jws struct vmcp_jws jws = {0};
        auto_free char *answer = NULL;
        auto_buf struct vmcp_buf draft = VMCP_BUF(VMCP_ANSWER_MAX);
        assert_good(text, vmcp_config_parse("web", text, strlen(text), -1, &c, NULL, &err), err);
        assert_good("", vmcp_respond_draft(&c, &draft, &err), err);
        assert_int_equal(draft.len % 4, 0);
        struct vmcp_subject s = {.config = &c, .v2 = &draft};
        assert_good(
            "", vmcp_respond(&r, &s, &q, unit_key("ed25519"), NULL, NOW, &answer, jti, &err), err);
        assert_non_null(strstr(answer, draft.data));
        assert_good("", vmcp_jws_parse(answer, strlen(answer), "vmcp+jwt", &jws, &err), err);
        assert_good("", vmcp_jws_check(&jws, unit_key("ed25519"), &err), err);
        assert_true(json_equal(json_object_get(jws.payload, "machine"), c.machine));
        assert_true(json_equal(json_object_get(jws.payload, "gce"), c.gce));
        assert_int_equal(json_integer_value(json_object_get(jws.payload, "serial")), 7);
        assert_int_equal(json_integer_value(json_object_get(jws.payload, "count")), 2);
        assert_string_equal(json_string_value(json_object_get(jws.payload, "jti")), jti);
    }
}

static void kept_version_1(void **state)
{
    (void)state;
    static const char text[] = "{\"machine\":" PLAIN "}";
    struct vmcp_error err;
    char jti[VMCP_JTI_LEN + 1];
    auto_config struct vmcp_config c = {0};
    auto_v1_draft struct vmcp_v1_draft draft = {0};
    auto_free char *kept = NULL, *made = NULL;
    struct vmcp_question q = question(VMCP_FORMAT_V1);
    struct vmcp_responder r = {.domain = "cfg.example.org", .ttl = 300};
    assert_good("", vmcp_config_parse("web", text, strlen(text), -1, &c, NULL, &err), err);
    assert_good("", vmcp_v1_draft_make(c.machine, &draft, &err), err);
    struct vmcp_subject s = {.config = &c, .v1 = &draft}, bare = {.config = &c};
    assert_good("", vmcp_respond(&r, &s, &q, unit_key("rsa-2048"), NULL, NOW, &kept, jti, &err),
                err);
    assert_good("", vmcp_respond(&r, &bare, &q, unit_key("rsa-2048"), NULL, NOW, &made, jti, &err),
                err);
    assert_string_equal(kept, made); /* PKCS#1 v1.5 has no random in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_1),
        cmocka_unit_test(what_version_1_cannot_carry),
        cmocka_unit_test(macros),
        cmocka_unit_test(macros_want_a_host_id),
        cmocka_unit_test(an_hmac_wants_a_secret),
        cmocka_unit_test(kept_drafts),
        cmocka_unit_test(kept_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
