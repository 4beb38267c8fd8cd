/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/macro.h"

enum { ALL = 31, STEADY = VMCP_MACRO_HOSTID | VMCP_MACRO_HMAC };

/* The 32 bytes 00, 01, … 1f. */
static const uint8_t *secret(void)
{
    static uint8_t bytes[32];
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    return bytes;
}

static struct vmcp_macro_values values(void)
{
    return (struct vmcp_macro_values){.domain = "cfg.example.org",
                                      .machine = "web",
                                      .hostid = "host-1",
                                      .salt = "Salt-9",
                                      .uuid = "00000000-0000-4000-8000-000000000000",
                                      .now = 1700000000,
                                      .secret = secret(),
                                      .secret_len = 32};
}

static void scanning(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned used;
    } rows[] = {
        {"", 0},
        {"plain text", 0},
        {"${vmcp.hostid}", VMCP_MACRO_HOSTID},
        {"a${vmcp.salt}b${vmcp.uuid}c${vmcp.now}", 2 | 4 | 8},
        {"${vmcp.hmac.db-password_2}", VMCP_MACRO_HMAC},
        {"${HOME} $HOME ${name} $1 $$ ${} ${vmcp} ${vmc.hostid} ${VMCP.hostid}", 0},
        {"$${vmcp.hostid}", 0},
        {"$${vmcp.nonsense}", 0},
        {"$${vmcp.", 0},
        {"$$${vmcp.hostid}", 0}, /* a dollar, then the escape */
        {"$ {vmcp.hostid}", 0},
        {"${vmcp.hostid}$", VMCP_MACRO_HOSTID},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        unsigned used = 0;
        assert_good(rows[i].text, vmcp_macro_scan(rows[i].text, ALL, &used, &err), err);
        assert_row(rows[i].text, used == rows[i].used);
    }
}

static void unknown_macros(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "${vmcp.}",
        "${vmcp.host}",
        "${vmcp.hostid2}",
        "${vmcp.Hostid}",
        "${vmcp.hostid }",
        "${vmcp. hostid}",
        "${vmcp.hostid",
        "${vmcp.",
        "${vmcp.hmac}",
        "${vmcp.hmac.}",
        "${vmcp.hmac.a b}",
        "${vmcp.hmac.a.b}",
        "${vmcp.hmac.a",
        "${vmcp.name}",
        "${vmcp.secret}",
        "x ${vmcp.salt} ${vmcp.x}",
        "${vmcp.${vmcp.salt}}",
        "${vmcp.hmac.caf\xc3\xa9}",
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        unsigned used = 0;
        struct vmcp_macro_values v = values();
        auto_buf struct vmcp_buf out = VMCP_BUF(1000);
        assert_code(rows[i], vmcp_macro_scan(rows[i], ALL, &used, &err), err, VMCP_E_MACRO);
        assert_code(rows[i], vmcp_macro_expand(rows[i], &v, &out, &err), err, VMCP_E_MACRO);
    }
}

static void labels_have_a_limit(void **state)
{
    (void)state;
    struct vmcp_error err;
    unsigned used = 0;
    char text[100];
    snprintf(text, sizeof(text), "${vmcp.hmac.%064d}", 0);
    assert_good(text, vmcp_macro_scan(text, ALL, &used, &err), err);
    snprintf(text, sizeof(text), "${vmcp.hmac.%065d}", 0);
    assert_code(text, vmcp_macro_scan(text, ALL, &used, &err), err, VMCP_E_MACRO);
}

/* `name` and `secret` would be another machine at each fetch. */
static void only_some_are_allowed(void **state)
{
    (void)state;
    static const char *const changing[] = {"${vmcp.salt}", "${vmcp.uuid}", "${vmcp.now}"};
    struct vmcp_error err;
    unsigned used = 0;
    for (size_t i = 0; i < UNIT_COUNT(changing); i++)
        assert_code(changing[i], vmcp_macro_scan(changing[i], STEADY, &used, &err), err,
                    VMCP_E_MACRO);
    assert_good("", vmcp_macro_scan("${vmcp.hostid}${vmcp.hmac.a}", STEADY, &used, &err), err);
    assert_int_equal(used, STEADY);
}

static void expanding(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"no macro", "no macro"},
        {"<${vmcp.hostid}>", "<host-1>"},
        {"${vmcp.salt}${vmcp.salt}", "Salt-9Salt-9"},
        {"${vmcp.uuid}", "00000000-0000-4000-8000-000000000000"},
        {"${vmcp.now}", "2023-11-14T22:13:20Z"},
        {"${HOME} $x ${name}$", "${HOME} $x ${name}$"},
        {"$${vmcp.hostid}", "${vmcp.hostid}"},
        {"$${vmcp.nonsense", "${vmcp.nonsense"},
        {"$$${vmcp.salt}", "$${vmcp.salt}"},
        {"$$x", "$$x"},
        {"\xe2\x82\xac${vmcp.salt}\n", "\xe2\x82\xacSalt-9\n"},
        /* printf 'vmcp-hmac-v1\0cfg.example.org\0web\0db\0host-1' | openssl dgst -sha256 -mac HMAC
         * -macopt hexkey:000102…1f */
        {"${vmcp.hmac.db}", "f8bb1696c982e0758f1331f7c1eaead775e4f9679b2b675bd671eadf9ebceb29"},
        {"${vmcp.hmac.DB}", "1a66754946b557cce7296f27af71267f9ae222a2505f816c7b9be83122635fca"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        struct vmcp_macro_values v = values();
        auto_buf struct vmcp_buf out = VMCP_BUF(1000);
        assert_good(rows[i][0], vmcp_macro_expand(rows[i][0], &v, &out, &err), err);
        assert_string_equal(out.data ? out.data : "", rows[i][1]);
    }
}

/* Each part of the HMAC counts on its own: moving a character over a border changes it. */
static void hmac_parts_are_separate(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a", "bc", "d"}, {"ab", "c", "d"}, {"a", "b", "cd"}, {"a", "bc", "e"}, {"a", "bd", "d"},
    };
    char seen[UNIT_COUNT(rows)][65];
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        struct vmcp_macro_values v = values();
        auto_buf struct vmcp_buf out = VMCP_BUF(1000);
        v.domain = rows[i][0];
        v.machine = rows[i][1];
        v.hostid = rows[i][2];
        assert_good("", vmcp_macro_expand("${vmcp.hmac.l}", &v, &out, &err), err);
        assert_int_equal(out.len, 64);
        memcpy(seen[i], out.data, 65);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
}

static void what_is_inserted_is_not_scanned(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_macro_values v = values();
    auto_buf struct vmcp_buf out = VMCP_BUF(1000);
    v.hostid = "${vmcp.salt}"; /* no host id is like that; the rule holds all the same */
    assert_good("", vmcp_macro_expand("${vmcp.hostid}", &v, &out, &err), err);
    assert_string_equal(out.data, "${vmcp.salt}");
    vmcp_buf_reset(&out);
    assert_good("", vmcp_macro_expand("$${vmcp.${vmcp.salt}}", &v, &out, &err), err);
    assert_string_equal(out.data, "${vmcp.Salt-9}");
}

static void what_is_missing(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_macro_values v = values();
    auto_buf struct vmcp_buf out = VMCP_BUF(1000);
    v.hostid = NULL;
    assert_code("", vmcp_macro_expand("${vmcp.hostid}", &v, &out, &err), err,
                VMCP_E_HOSTID_REQUIRED);
    assert_code("", vmcp_macro_expand("${vmcp.hmac.a}", &v, &out, &err), err,
                VMCP_E_HOSTID_REQUIRED);
    assert_good("", vmcp_macro_expand("${vmcp.salt}", &v, &out, &err), err);
    v = values();
    v.secret = NULL;
    assert_code("", vmcp_macro_expand("${vmcp.hmac.a}", &v, &out, &err), err, VMCP_E_MACRO);
}

static void a_value_has_its_limit(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_macro_values v = values();
    auto_buf struct vmcp_buf out = VMCP_BUF(11);
    assert_code("", vmcp_macro_expand("${vmcp.salt}${vmcp.salt}", &v, &out, &err), err,
                VMCP_E_LIMIT);
}

/* Values at any depth; keys, numbers and the original stay as they are. */
static void json_trees(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_macro_values v = values();
    static const char in[] =
        "{\"${vmcp.salt}\":[\"${vmcp.salt}\",{\"a\":\"x${vmcp.hostid}\"},1,true,"
        "null,1.5],\"e\":{},\"f\":[]}";
    static const char want[] = "{\"${vmcp.salt}\":[\"Salt-9\",{\"a\":\"xhost-1\"},1,true,null,1.5],"
                               "\"e\":{},\"f\":[]}";
    json_auto_t *tree = json_loads(in, 0, NULL), *expect = json_loads(want, 0, NULL), *out = NULL;
    json_auto_t *copy = json_deep_copy(tree);
    assert_good("", vmcp_macro_expand_json(tree, &v, &out, &err), err);
    assert_true(json_equal(out, expect));
    assert_true(json_equal(tree, copy));
    json_auto_t *bad = json_pack("{s:[s, s]}", "a", "fine", "${vmcp.nothing}");
    json_t *none = NULL;
    assert_code("", vmcp_macro_expand_json(bad, &v, &none, &err), err, VMCP_E_MACRO);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanning),
        cmocka_unit_test(unknown_macros),
        cmocka_unit_test(labels_have_a_limit),
        cmocka_unit_test(only_some_are_allowed),
        cmocka_unit_test(expanding),
        cmocka_unit_test(hmac_parts_are_separate),
        cmocka_unit_test(what_is_inserted_is_not_scanned),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(a_value_has_its_limit),
        cmocka_unit_test(json_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
