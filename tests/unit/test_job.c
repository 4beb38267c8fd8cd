/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/config.h"
#include "lib/job.h"
#include "lib/jobmacro.h"

#define SCHEDULE "\"schedule\": \"*/5 * * * *\""
#define URI      "\"uri\": \"https://compute.googleapis.com/compute/v1/x\""
#define TARGET   "\"httpTarget\": {" URI "}"

static int parse(const char *text, struct vmcp_config *ret, struct vmcp_diags *diags,
                 struct vmcp_error *err)
{
    return vmcp_config_parse_as(VMCP_WANT_JOB, "resize", text, strlen(text), -1, ret, diags, err);
}

/* What `gcloud scheduler jobs describe --format=json` prints. */
static void a_pasted_job(void **state)
{
    (void)state;
    static const char text[] =
        "{\"serial\": 7, \"job\": {\"attemptDeadline\": \"320s\", \"httpTarget\": {\"body\": "
        "\"e30=\", \"headers\": {\"Content-Type\": \"application/json\", \"User-Agent\": "
        "\"Google-Cloud-Scheduler\"}, \"httpMethod\": \"PATCH\", \"oauthToken\": {\"scope\": "
        "\"https://www.googleapis.com/auth/compute\", \"serviceAccountEmail\": "
        "\"sa@p.iam.gserviceaccount.com\"}, " URI "}, \"lastAttemptTime\": "
        "\"2026-11-20T05:00:00.1Z\", \"name\": \"projects/p/locations/l/jobs/j\", "
        "\"retryConfig\": {\"maxBackoffDuration\": \"600s\", \"maxDoublings\": 3, "
        "\"maxRetryDuration\": \"0s\", \"minBackoffDuration\": \"2.5s\", \"retryCount\": 4}, "
        "\"schedule\": \"*/5 * * * *\", \"scheduleTime\": \"2026-11-20T05:05:00Z\", \"state\": "
        "\"ENABLED\", \"status\": {}, \"timeZone\": \"Europe/Berlin\", \"userUpdateTime\": "
        "\"2026-11-01T00:00:00Z\"}}";
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_diags struct vmcp_diags diags = {0};
    auto_job struct vmcp_job job = {0};
    assert_good("", parse(text, &c, &diags, &err), err);
    assert_int_equal(diags.count, 0);
    assert_int_equal(c.kind, VMCP_KIND_JOB);
    assert_int_equal(c.serial, 7);
    assert_null(c.machine);
    assert_true(vmcp_config_needs_v2(&c));
    assert_int_equal(json_object_size(c.job), 5); /* what is output only is not signed */
    assert_good("", vmcp_job_read(c.job, "", NULL, &job, &err), err);
    assert_string_equal(job.time_zone, "Europe/Berlin");
    assert_string_equal(job.method, "PATCH");
    assert_string_equal(job.target.host, "compute.googleapis.com");
    assert_int_equal(job.body_len, 2);
    assert_memory_equal(job.body, "{}", 2);
    assert_int_equal(job.token, VMCP_JOB_TOKEN_OAUTH);
    assert_string_equal(job.account, "sa@p.iam.gserviceaccount.com");
    assert_string_equal(job.scope, "https://www.googleapis.com/auth/compute");
    assert_int_equal(job.retry.count, 4);
    assert_int_equal(job.retry.max_doublings, 3);
    assert_int_equal(job.retry.max_duration_ms, 0);
    assert_int_equal(job.retry.min_backoff_ms, 2500);
    assert_int_equal(job.retry.max_backoff_ms, 600000);
    assert_int_equal(job.attempt_deadline_ms, 320000);
}

static void what_is_left_out(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_job struct vmcp_job job = {0};
    assert_good("", parse("{\"job\": {" SCHEDULE ", " TARGET "}}", &c, NULL, &err), err);
    assert_good("", vmcp_job_read(c.job, "", NULL, &job, &err), err);
    assert_int_equal(c.serial, 0);
    assert_string_equal(job.time_zone, "Etc/UTC");
    assert_string_equal(job.method, "POST");
    assert_null(job.launch);
    assert_null(job.headers);
    assert_null(job.body);
    assert_null(job.body_json);
    assert_int_equal(job.token, VMCP_JOB_TOKEN_NONE);
    assert_int_equal(job.retry.count, 0);
    assert_int_equal(job.retry.max_doublings, 5);
    assert_int_equal(job.retry.min_backoff_ms, 5000);
    assert_int_equal(job.retry.max_backoff_ms, 3600000);
    assert_int_equal(job.attempt_deadline_ms, 180000);
    assert_false(job.wait_for_operation || job.run_missed || job.retry_in_doubt);
    assert_int_equal(job.macros, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pasted_job),
        cmocka_unit_test(what_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
