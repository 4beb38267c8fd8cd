/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/question.h"

static int add(struct vmcp_question *q, const char *key, const char *value, struct vmcp_error *err)
{
    return vmcp_question_add(q, key, strlen(key), value, strlen(value), err);
}

static void a_whole_question(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_question q = {0};
    assert_good("", add(&q, "cvm_salt", "Salt-1", &err), err);
    assert_good("", add(&q, "cvm_hostid", "host-1", &err), err);
    assert_good("", add(&q, "vm", "web", &err), err);
    assert_good("", add(&q, "tag", "what is not ours is ignored \n", &err), err);
    assert_good("", vmcp_question_finish(&q, "application/jose", &err), err);
    assert_int_equal(q.format, VMCP_FORMAT_V2);
    assert_string_equal(q.salt, "Salt-1");
    assert_string_equal(q.hostid, "host-1");
    assert_string_equal(q.machine, "web");
}

static void each_once(void **state)
{
    (void)state;
    static const char *const keys[] = {"cvm_salt", "cvm_hostid", "vm"};
    for (size_t i = 0; i < UNIT_COUNT(keys); i++) {
        struct vmcp_error err;
        struct vmcp_question q = {0};
        assert_good(keys[i], add(&q, keys[i], "a", &err), err);
        assert_code(keys[i], add(&q, keys[i], "a", &err), err, VMCP_E_PARAMETER_REPEATED);
        assert_string_equal(err.where, keys[i]);
        assert_code(keys[i], add(&q, keys[i], "", &err), err, VMCP_E_PARAMETER_REPEATED);
    }
}

static void values_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        size_t len;
        enum vmcp_code code;
    } rows[] = {
        {"cvm_salt", "", 0, VMCP_E_SALT_MALFORMED},
        {"cvm_salt", "zone=evil\nSalt", 14, VMCP_E_SALT_MALFORMED},
        {"cvm_salt", "abc\0def", 7, VMCP_E_SALT_MALFORMED},
        {"cvm_salt", "a b", 3, VMCP_E_SALT_MALFORMED},
        {"cvm_salt", "a%0a", 4, VMCP_E_SALT_MALFORMED},
        {"cvm_hostid", "", 0, VMCP_E_HOSTID_MALFORMED},
        {"cvm_hostid", "a=b", 3, VMCP_E_HOSTID_MALFORMED},
        {"cvm_hostid", "a\0", 2, VMCP_E_HOSTID_MALFORMED},
        {"vm", "", 0, VMCP_E_NAME_MALFORMED},
        {"vm", "Web", 3, VMCP_E_NAME_MALFORMED},
        {"vm", "../etc", 6, VMCP_E_NAME_MALFORMED},
        {"vm", "web\0x", 5, VMCP_E_NAME_MALFORMED},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        struct vmcp_question q = {0}, untouched = {0};
        assert_code(rows[i].value,
                    vmcp_question_add(&q, rows[i].key, strlen(rows[i].key), rows[i].value,
                                      rows[i].len, &err),
                    err, rows[i].code);
        assert_memory_equal(&q, &untouched, sizeof(q));
    }
    char longest[VMCP_SALT_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    for (size_t over = 0; over < 2; over++) {
        struct vmcp_error err = {0};
        struct vmcp_question q = {0};
        assert_int_equal(vmcp_question_add(&q, "cvm_salt", 8, longest, VMCP_SALT_MAX + over, &err),
                         over ? -VMCP_E_SALT_MALFORMED : 0);
    }
}

/* A key with a NUL in it is another key; so is one in another case, or a part of one. */
static void keys_are_compared_whole(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t len;
    } rows[] = {{"cvm_salt\0", 9}, {"cvm_sal", 7}, {"CVM_SALT", 8}, {"", 0}, {"v", 1}, {"vm\0", 3}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        struct vmcp_question q = {0}, untouched = {0};
        assert_good(rows[i].key, vmcp_question_add(&q, rows[i].key, rows[i].len, "abc", 3, &err),
                    err);
        assert_memory_equal(&q, &untouched, sizeof(q));
    }
}

static void path_and_parameter(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_question q = {0};
    assert_good("", vmcp_question_set_path(&q, "web", &err), err);
    assert_string_equal(q.machine, "web");
    assert_good("the same", vmcp_question_set_path(&q, "web", &err), err);
    assert_code("another", vmcp_question_set_path(&q, "db", &err), err, VMCP_E_NAME_CONFLICT);
    assert_code("none", vmcp_question_set_path(&q, "Web", &err), err, VMCP_E_NAME_MALFORMED);
    assert_string_equal(q.machine, "web");
}

/* RFC 9110, sections 12.4.2 and 12.5.1. */
static void accept_headers(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum vmcp_format format;
    } rows[] = {
        {NULL, VMCP_FORMAT_V1},
        {"", VMCP_FORMAT_V1},
        {"*/*", VMCP_FORMAT_V1},
        {"application/*", VMCP_FORMAT_V1},
        {"application/json", VMCP_FORMAT_V1},
        {"application/jose", VMCP_FORMAT_V2},
        {"Application/JOSE", VMCP_FORMAT_V2},
        {" application/jose ", VMCP_FORMAT_V2},
        {"text/html, application/jose", VMCP_FORMAT_V2},
        {"text/html,application/jose;q=0.1", VMCP_FORMAT_V2},
        {"application/jose;q=1", VMCP_FORMAT_V2},
        {"application/jose; q=1.000", VMCP_FORMAT_V2},
        {"application/jose;q=0.001", VMCP_FORMAT_V2},
        {"application/jose;Q=0.5", VMCP_FORMAT_V2},
        {"application/jose ; v=1 ; q=0.9", VMCP_FORMAT_V2},
        {"application/json, application/jose;q=0.5", VMCP_FORMAT_V2},
        {"application/jose;q=0", VMCP_FORMAT_V1},
        {"application/jose;q=0.0", VMCP_FORMAT_V1},
        {"application/jose; q=0.000", VMCP_FORMAT_V1},
        {"application/jose;q=0, application/json", VMCP_FORMAT_V1},
        {"application/jose+json", VMCP_FORMAT_V1},
        {"application/josef", VMCP_FORMAT_V1},
        {"xapplication/jose", VMCP_FORMAT_V1},
        {"application / jose", VMCP_FORMAT_V1},
        {",,,", VMCP_FORMAT_V1},
        {",,application/jose,,", VMCP_FORMAT_V2},
        {";application/jose", VMCP_FORMAT_V1},
        /* a comma, a semicolon or an escaped quote in a quoted string ends nothing */
        {"text/x;a=\"b, application/jose, c\"", VMCP_FORMAT_V1},
        {"text/x;a=\"b\\\", application/jose\"", VMCP_FORMAT_V1},
        {"text/x;a=\"b\", application/jose", VMCP_FORMAT_V2},
        {"text/x;a=\"b\\\\\", application/jose", VMCP_FORMAT_V2},
        {"application/jose;a=\"x,y;q=0\"", VMCP_FORMAT_V2},
        {"application/jose;a=\"x,y\";q=0", VMCP_FORMAT_V1},
        {"application/jose;a=\"x;q=1\";q=0.0", VMCP_FORMAT_V1},
        {"text/x;a=\"never closed, application/jose", VMCP_FORMAT_V1},
        {"application/jose\t;\tq=0\t,\ttext/x", VMCP_FORMAT_V1},
        {"application/jose;q=0, application/jose", VMCP_FORMAT_V2},
        {"application/jose;q=", VMCP_FORMAT_V1},
        {"application/jose;q=0;v=1", VMCP_FORMAT_V1},
        {"application/jose;qq=0", VMCP_FORMAT_V2},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        struct vmcp_question q = {.salt = "a", .hostid = "b"};
        const char *row = rows[i].accept ? rows[i].accept : "(none)";
        assert_good(row, vmcp_question_finish(&q, rows[i].accept, &err), err);
        assert_row(row, q.format == rows[i].format);
    }
    struct vmcp_error err;
    struct vmcp_question q = {.salt = "a", .hostid = "b"};
    char longest[4000]; /* however long an element is */
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "application/jose;", 17);
    longest[sizeof(longest) - 1] = '\0';
    assert_good("", vmcp_question_finish(&q, longest, &err), err);
    assert_int_equal(q.format, VMCP_FORMAT_V2);
    memcpy(longest + sizeof(longest) - 5, ";q=0", 4);
    assert_good("", vmcp_question_finish(&q, longest, &err), err);
    assert_int_equal(q.format, VMCP_FORMAT_V1);
}

static void what_is_missing(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_question none = {0}, salt = {.salt = "a"}, host = {.hostid = "b"};
    assert_code("", vmcp_question_finish(&none, NULL, &err), err, VMCP_E_SALT_MISSING);
    assert_code("", vmcp_question_finish(&none, "application/jose", &err), err,
                VMCP_E_SALT_MISSING);
    assert_code("", vmcp_question_finish(&host, "application/jose", &err), err,
                VMCP_E_SALT_MISSING);
    assert_code("", vmcp_question_finish(&salt, "application/jose", &err), err,
                VMCP_E_HOSTID_REQUIRED);
    assert_good("", vmcp_question_finish(&salt, NULL, &err), err); /* version 1 may come without */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_question),        cmocka_unit_test(each_once),
        cmocka_unit_test(values_that_are_refused), cmocka_unit_test(keys_are_compared_whole),
        cmocka_unit_test(path_and_parameter),      cmocka_unit_test(accept_headers),
        cmocka_unit_test(what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
