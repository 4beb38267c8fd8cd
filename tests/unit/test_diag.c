/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/diag.h"

static void none_is_good(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_diags struct vmcp_diags d = {0};
    assert_good("", vmcp_diags_check(&d, &err), err);
    vmcp_diag_warning(&d, "/a", true, "only %s", "a warning");
    assert_good("", vmcp_diags_check(&d, &err), err);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.errors, 0);
    assert_false(d.items[0].is_error);
    assert_string_equal(d.items[0].text, "only a warning");
}

static void the_first_error_is_told(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_diags struct vmcp_diags d = {0};
    vmcp_diag_warning(&d, "", false, "w");
    vmcp_diag_error(&d, VMCP_E_MACHINE, "/b/c", false, "first %d", 1);
    vmcp_diag_error(&d, VMCP_E_CONFIG, "/d", false, "second");
    assert_int_equal(d.errors, 2);
    assert_code("", vmcp_diags_check(&d, &err), err, VMCP_E_MACHINE);
    assert_string_equal(err.where, "/b/c"); /* no place yet: the pointer */
    assert_string_equal(err.text, "first 1");
}

static void places_come_from_the_text(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_diags struct vmcp_diags d = {0};
    static const char text[] = "{\n  \"a\": {\n    \"b\": 7\n  }\n}";
    vmcp_diag_error(&d, VMCP_E_CONFIG, "/a/b", false, "value");
    vmcp_diag_error(&d, VMCP_E_CONFIG, "/a/b", true, "key");
    vmcp_diags_locate(&d, text, strlen(text));
    assert_int_equal(d.items[0].line, 3);
    assert_int_equal(d.items[0].column, 10);
    assert_int_equal(d.items[1].column, 5);
    assert_code("", vmcp_diags_check(&d, &err), err, VMCP_E_CONFIG);
    assert_string_equal(err.where, "3:10");
    vmcp_diags_locate(&d, "{}", 2); /* those that have a place keep it */
    assert_int_equal(d.items[0].line, 3);
}

/* A hostile document does not fill the memory, and none of its errors is forgotten. */
static void there_is_a_limit(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_diags struct vmcp_diags d = {0};
    for (int i = 0; i < VMCP_DIAGS_MAX; i++)
        vmcp_diag_warning(&d, "/x", false, "%d", i);
    vmcp_diag_error(&d, VMCP_E_MACHINE, "/x", false, "there is no room for it");
    assert_int_equal(d.count, VMCP_DIAGS_MAX);
    assert_int_equal(d.errors, 1);
    assert_code("", vmcp_diags_check(&d, &err), err, VMCP_E_CONFIG);
    assert_string_equal(d.items[VMCP_DIAGS_MAX - 1].text, "999");
}

static void what_is_long_is_cut_and_clean(void **state)
{
    (void)state;
    auto_diags struct vmcp_diags d = {0};
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[10] = '\n';
    text[sizeof(text) - 1] = '\0';
    vmcp_diag_error(&d, VMCP_E_CONFIG, text, false, "%s", text);
    assert_int_equal(strlen(d.items[0].text), sizeof(d.items[0].text) - 1);
    assert_int_equal(strlen(d.items[0].pointer), sizeof(d.items[0].pointer) - 1);
    assert_null(strchr(d.items[0].text, '\n'));
    vmcp_diags_clear(&d);
    assert_int_equal(d.count + d.errors, 0);
    assert_null(d.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_good),
        cmocka_unit_test(the_first_error_is_told),
        cmocka_unit_test(places_come_from_the_text),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(what_is_long_is_cut_and_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
