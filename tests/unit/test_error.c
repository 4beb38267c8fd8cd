/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

/* Every code has a name of its own, made of lower-case words, and the rest of its row is sane. */
static void table_is_consistent(void **state)
{
    (void)state;
    for (int code = 1; code < VMCP_CODE_COUNT; code++) {
        const char *name = vmcp_code_name((enum vmcp_code)code);
        assert_row(name, strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
        assert_row(name, name[0] && name[0] != '-' && name[strlen(name) - 1] != '-');
        assert_row(name, strlen(vmcp_code_meaning((enum vmcp_code)code)) > 5);
        int http = vmcp_code_http((enum vmcp_code)code);
        int leave = vmcp_code_exit((enum vmcp_code)code);
        assert_row(name, http >= 400 && http <= 599);
        assert_row(name, leave >= 1 && leave <= 8);
        for (int other = 0; other < code; other++)
            assert_row(name, strcmp(name, vmcp_code_name((enum vmcp_code)other)) != 0);
    }
}

/* Scripts stand on these. */
static void codes_that_are_promised(void **state)
{
    (void)state;
    static const struct {
        enum vmcp_code code;
        const char *name;
        int http, leave;
    } rows[] = {
        {VMCP_OK, "ok", 200, 0},
        {VMCP_E_USAGE, "usage", 400, 2},
        {VMCP_E_SALT_MALFORMED, "salt-malformed", 400, 2},
        {VMCP_E_HOSTID_REQUIRED, "hostid-required", 400, 2},
        {VMCP_E_NO_RSA_KEY, "no-rsa-key", 406, 3},
        {VMCP_E_VERSION_2_ONLY, "version-2-only", 406, 3},
        {VMCP_E_SIGNATURE, "signature-invalid", 500, 1},
        {VMCP_E_SALT_MISMATCH, "salt-mismatch", 500, 1},
        {VMCP_E_POLICY, "policy", 500, 1},
        {VMCP_E_CONFIG, "config-invalid", 500, 3},
        {VMCP_E_CREDENTIALS, "credentials", 401, 5},
        {VMCP_E_API, "api-refused", 502, 6},
        {VMCP_E_OPERATION, "operation-failed", 502, 7},
        {VMCP_E_TIMEOUT, "timeout", 504, 8},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        assert_string_equal(vmcp_code_name(rows[i].code), rows[i].name);
        assert_int_equal(vmcp_code_http(rows[i].code), rows[i].http);
        assert_int_equal(vmcp_code_exit(rows[i].code), rows[i].leave);
    }
}

static void out_of_range_is_internal(void **state)
{
    (void)state;
    assert_string_equal(vmcp_code_name((enum vmcp_code)VMCP_CODE_COUNT), "internal");
    assert_string_equal(vmcp_code_name((enum vmcp_code) - 1), "internal");
    assert_int_equal(vmcp_code_exit((enum vmcp_code)9999), VMCP_EXIT_INPUT);
    assert_non_null(vmcp_code_meaning((enum vmcp_code)9999));
}

static void fail_fills_and_returns(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    assert_int_equal(vmcp_fail(&err, VMCP_E_FILE, "%s %d", "seven", 7), -VMCP_E_FILE);
    assert_int_equal(err.code, VMCP_E_FILE);
    assert_string_equal(err.text, "seven 7");
    assert_string_equal(err.where, "");
    assert_int_equal(vmcp_fail_at(&err, VMCP_E_KEY, "a.key", "no"), -VMCP_E_KEY);
    assert_string_equal(err.where, "a.key");
    assert_int_equal(vmcp_fail(NULL, VMCP_E_FILE, "nowhere to put it"), -VMCP_E_FILE);
    assert_int_equal(vmcp_fail_at(NULL, VMCP_E_FILE, "x", "nor this"), -VMCP_E_FILE);
}

/* An error may be wrapped into itself. */
static void arguments_may_be_the_error_itself(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    vmcp_fail_at(&err, VMCP_E_FILE, "inner", "cause");
    vmcp_fail_at(&err, VMCP_E_TRUST, err.where, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: cause");
    assert_string_equal(err.where, "inner");
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    char path[400], text[1000];
    memset(path, 'p', sizeof(path));
    memcpy(path + sizeof(path) - 10, "/name.key", 10);
    memset(text, 't', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    vmcp_fail_at(&err, VMCP_E_FILE, path, "%s", text);
    assert_int_equal(strlen(err.where), sizeof(err.where) - 1);
    assert_string_equal(err.where + strlen(err.where) - 9, "/name.key");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void locate_fills_an_empty_place_only(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    vmcp_fail(&err, VMCP_E_KEY, "text");
    assert_int_equal(vmcp_error_locate(&err, "first"), -VMCP_E_KEY);
    assert_int_equal(vmcp_error_locate(&err, "second"), -VMCP_E_KEY);
    assert_string_equal(err.where, "first");
    assert_string_equal(err.text, "text");
    assert_true(vmcp_error_locate(NULL, "x") < 0);
}

/* A message goes to terminals, logs and JSON: one line of UTF-8, whatever the input was. */
static void messages_are_clean_text(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    vmcp_fail_at(&err, VMCP_E_FILE, "dir/\xff\x1b[2J", "a\nb\tc\x7f \xc3\xa9 \xc3( \xe2\x82\xac");
    assert_string_equal(err.where, "dir/??[2J");
    assert_string_equal(err.text, "a?b?c? \xc3\xa9 ?( \xe2\x82\xac");
    /* nor does it turn the direction of writing, or end a line by U+2028 */
    vmcp_fail(&err, VMCP_E_FILE, "%s",
              "a\xe2\x80\xae"
              "b\xe2\x81\xa6"
              "c\xe2\x80\x8f"
              "d\xd8\x9c"
              "e\xe2\x80\xa8"
              "f\xc2\x9b"
              "g\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa\xd8\x9b\xc2\xa0");
    assert_string_equal(
        err.text, "a???b???c???d??e???f??g\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa\xd8\x9b\xc2\xa0");
    /* UTF-8 proper has no surrogates, no long forms and ends at U+10FFFF (RFC 3629). */
    vmcp_fail(&err, VMCP_E_FILE, "\xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xf0\x9f\x98\x80");
    assert_string_equal(err.text, "??? ?? ???? \xf0\x9f\x98\x80");
}

/* A character is not cut in two: the whole must stay JSON. */
static void cut_between_characters(void **state)
{
    (void)state;
    struct vmcp_error err = {0};
    char text[600];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        vmcp_fail_at(&err, VMCP_E_FILE, text, "%s", text);
        json_auto_t *both = json_pack("{s:s, s:s}", "where", err.where, "text", err.text);
        assert_non_null(both);
    }
}

/* A PIN that stands in a key's URI stays out of every message, and so of every log. */
static void pins_are_not_shown(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"pkcs11:object=x?pin-value=4711", "pkcs11:object=x?pin-value=*"},
        {"x?PIN-Value=4711&a=b", "x?PIN-Value=*&a=b"},
        {"x;pin-value=4711;a=b", "x;pin-value=*;a=b"},
        {"--format x?pin-value=4711: pem is wanted", "--format x?pin-value=*: pem is wanted"},
        {"`x?pin-value=4711` is one too many", "`x?pin-value=*` is one too many"},
        {"pin-value=4:7,1'1 and 2", "pin-value=*"},
        {"pin-value=47&pin-value=11", "pin-value=*&pin-value=*"},
        {"pin-value=", "pin-value="},
        {"pin-value=pin-value=4711", "pin-value=*"},
        {"pin-value", "pin-value"},
    };
    struct vmcp_error err = {0};
    char longer[sizeof(err.where) + 80];
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        vmcp_fail_at(&err, VMCP_E_FILE, rows[i][0], "%s", rows[i][0]);
        assert_string_equal(err.where, rows[i][1]);
        assert_string_equal(err.text, rows[i][1]);
    }
    /* nor the end of one, where a long place is cut at its beginning */
    for (size_t fill = 0; fill < sizeof(err.where); fill++) {
        snprintf(longer, sizeof(longer), "pin-value=%0*d", (int)fill + 4, 4711);
        vmcp_fail_at(&err, VMCP_E_FILE, longer, "no");
        assert_null(strstr(err.where, "11"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_consistent),
        cmocka_unit_test(codes_that_are_promised),
        cmocka_unit_test(out_of_range_is_internal),
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(arguments_may_be_the_error_itself),
        cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(locate_fills_an_empty_place_only),
        cmocka_unit_test(messages_are_clean_text),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(pins_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
