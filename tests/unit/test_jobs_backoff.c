/* SPDX-License-Identifier: Apache-2.0 */
/* The pauses of a job's retries, against the table that Cloud Scheduler's documentation gives. */
#include "jobs/backoff.h"
#include "jobs/requestid.h"
#include "unit.h"

static const struct vmcp_job_retry documented = {
    .count = 5, .max_doublings = 3, .min_backoff_ms = 10000, .max_backoff_ms = 300000};

static void test_documented_pauses(void **state)
{
    static const int64_t wanted[] = {10, 20, 40, 80, 160, 240, 300, 300, 300};
    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        assert_int_equal(launch_backoff_ms(&documented, (int)i + 1), wanted[i] * 1000);
}

static void test_other_pauses(void **state)
{
    static const struct {
        struct vmcp_job_retry retry;
        int n;
        int64_t wanted;
    } rows[] = {
        /* no doublings: linear from the start */
        {{.max_doublings = 0, .min_backoff_ms = 5000, .max_backoff_ms = 3600000}, 3, 15000},
        /* many doublings end at the maximum, and nothing overflows */
        {{.max_doublings = 1000, .min_backoff_ms = 1, .max_backoff_ms = INT64_MAX / 2},
         2000,
         INT64_MAX / 2},
        {{.max_doublings = 5, .min_backoff_ms = 0, .max_backoff_ms = 0}, 4, 0},
        /* a minimum over the maximum */
        {{.max_doublings = 5, .min_backoff_ms = 9000, .max_backoff_ms = 2000}, 1, 2000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(launch_backoff_ms(&rows[i].retry, rows[i].n), rows[i].wanted);
}

static void test_limits(void **state)
{
    struct vmcp_job_retry none = {0}, count = {.count = 2};
    struct vmcp_job_retry time = {.max_duration_ms = 60000};
    struct vmcp_job_retry both = {.count = 2, .max_duration_ms = 60000};
    (void)state;
    assert_false(launch_backoff_goes_on(&none, 1, 0));
    assert_true(launch_backoff_goes_on(&count, 2, 1000000000));
    assert_false(launch_backoff_goes_on(&count, 3, 0));
    assert_true(launch_backoff_goes_on(&time, 4, 59999));
    assert_false(launch_backoff_goes_on(&time, 4, 60000));
    /* until both are reached */
    assert_true(launch_backoff_goes_on(&both, 3, 59999));
    assert_false(launch_backoff_goes_on(&both, 3, 60000));
    assert_true(launch_backoff_goes_on(&both, 1, 60000));
}

static void test_request_ids(void **state)
{
    struct launch_job_name name = {"cfg.example.org", "web"}, other = {"cfg.example.org", "web2"};
    char a[VMCP_JTI_LEN + 1], b[VMCP_JTI_LEN + 1];
    struct vmcp_error err = {0};
    (void)state;
    assert_int_equal(launch_request_id(&name, 1000, 1, a, &err), 0);
    assert_int_equal(launch_request_id(&name, 1000, 1, b, &err), 0);
    assert_string_equal(a, b);
    /* Version 5 and the variant of RFC 9562, section 5.5; the digits by python's uuid.uuid5(). */
    assert_string_equal(a, "66b2c2d3-7024-57ee-90b4-e21f7214abc6");
    assert_int_equal(launch_request_id(&name, 1000, 2, b, &err), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(launch_request_id(&name, 1001, 1, b, &err), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(launch_request_id(&other, 1000, 1, b, &err), 0);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_pauses),
        cmocka_unit_test(test_other_pauses),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_request_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
