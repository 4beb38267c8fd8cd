/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

static void grows_and_ends_in_nul(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_buf struct vmcp_buf b = VMCP_BUF(100000);
    for (int i = 0; i < 10000; i++) {
        vmcp_buf_addc(&b, (char)('a' + i % 26));
        assert_int_equal(b.data[b.len], '\0');
    }
    vmcp_buf_addf(&b, "%d-%s", 7, "x");
    vmcp_buf_adds(&b, "");
    vmcp_buf_add(&b, "\0z", 2);
    assert_good("", vmcp_buf_check(&b, "it", &err), err);
    assert_int_equal(b.len, 10005);
    assert_memory_equal(b.data + 10000, "7-x\0z", 6);
    assert_int_equal(b.data[25], 'z');
}

static void formats_longer_than_its_first_memory(void **state)
{
    (void)state;
    auto_buf struct vmcp_buf b = VMCP_BUF(5000);
    vmcp_buf_addf(&b, "%04000d", 1);
    assert_int_equal(b.len, 4000);
    assert_int_equal(b.data[3999], '1');
}

/* The maximum counts the content, not the NUL: `max` bytes fit, one more does not. */
static void the_maximum_is_exact(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_buf struct vmcp_buf b = VMCP_BUF(4);
    vmcp_buf_adds(&b, "1234");
    assert_good("", vmcp_buf_check(&b, "it", &err), err);
    vmcp_buf_addc(&b, '5');
    assert_code("", vmcp_buf_check(&b, "the thing", &err), err, VMCP_E_LIMIT);
    assert_string_equal(err.text, "the thing is over 4 bytes");
    assert_string_equal(b.data, "1234");
}

static void a_failure_stays(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_buf struct vmcp_buf b = VMCP_BUF(4);
    vmcp_buf_adds(&b, "12345");
    vmcp_buf_adds(&b, "1");
    vmcp_buf_addf(&b, "%d", 2);
    assert_int_equal(b.len, 0);
    assert_code("", vmcp_buf_check(&b, "it", &err), err, VMCP_E_LIMIT);
    vmcp_buf_reset(&b);
    vmcp_buf_adds(&b, "ok");
    assert_good("", vmcp_buf_check(&b, "it", &err), err);
    vmcp_buf_adds(&b, "12345");
    vmcp_buf_clear(&b);
    assert_good("", vmcp_buf_check(&b, "it", &err), err);
    assert_null(b.data);
    assert_int_equal(b.max, 4);
}

/* Lengths that would wrap around are over the limit, not under it. */
static void huge_lengths_do_not_wrap(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_buf struct vmcp_buf b = VMCP_BUF(SIZE_MAX - 1);
    vmcp_buf_adds(&b, "abc");
    vmcp_buf_add(&b, "x", SIZE_MAX - 1);
    assert_code("", vmcp_buf_check(&b, "it", &err), err, VMCP_E_LIMIT);
    assert_int_equal(b.len, 3);
}

static void reset_keeps_the_memory(void **state)
{
    (void)state;
    auto_buf struct vmcp_buf b = VMCP_BUF(100);
    vmcp_buf_adds(&b, "first");
    const char *data = b.data;
    vmcp_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    vmcp_buf_adds(&b, "2nd");
    assert_ptr_equal(b.data, data);
    assert_string_equal(b.data, "2nd");
}

static void fit_keeps_the_content(void **state)
{
    (void)state;
    auto_buf struct vmcp_buf b = VMCP_BUF(100);
    vmcp_buf_fit(&b);
    assert_null(b.data);
    vmcp_buf_add(&b, "a\0b", 3);
    assert_true(b.cap > 4);
    vmcp_buf_fit(&b);
    assert_int_equal(b.cap, 4);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    vmcp_buf_adds(&b, "more");
    assert_memory_equal(b.data, "a\0bmore", 8);
}

static void steal_hands_over(void **state)
{
    (void)state;
    struct vmcp_buf b = VMCP_BUF(100);
    size_t len = 99;
    vmcp_buf_add(&b, "a\0b", 3);
    auto_free char *taken = vmcp_buf_steal(&b, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(taken, "a\0b", 4);
    assert_null(b.data);
    auto_free char *empty = vmcp_buf_steal(&b, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    vmcp_buf_add(&b, "x", 1000);
    assert_null(vmcp_buf_steal(&b, NULL));
    assert_int_equal(b.failed, VMCP_OK);
}

static void wipe_empties(void **state)
{
    (void)state;
    struct vmcp_buf b = VMCP_BUF(100);
    vmcp_buf_wipe(&b);
    vmcp_buf_adds(&b, "secret");
    vmcp_buf_wipe(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_ends_in_nul),
        cmocka_unit_test(formats_longer_than_its_first_memory),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(huge_lengths_do_not_wrap),
        cmocka_unit_test(reset_keeps_the_memory),
        cmocka_unit_test(fit_keeps_the_content),
        cmocka_unit_test(steal_hands_over),
        cmocka_unit_test(wipe_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
