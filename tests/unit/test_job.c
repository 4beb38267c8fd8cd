/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/config.h"
#include "lib/duration.h"
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

/* -- what is wrong ----------------------------------------------------------------------------- */

#define JOB(members)  "{\"job\": {" SCHEDULE ", " members "}}"
#define HTTP(members) JOB("\"httpTarget\": {" members "}")

/* The first finding of a file: where it points, which column, and what it says. */
static void wrong(const char *text, const char *pointer, size_t column, const char *says)
{
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_diags struct vmcp_diags diags = {.universe = "googleapis.com"};
    if (parse(text, &c, &diags, &err) == 0)
        print_error("good: %s\n", text);
    else
        vmcp_diags_sort(&diags);
    assert_row(text, diags.errors > 0);
    const struct vmcp_diag *d = &diags.items[0];
    if (strcmp(d->pointer, pointer) != 0 || (column && d->column != column) ||
        !strstr(d->text, says))
        print_error("%s\n  %s, column %zu: %s\n  not %s, %zu\n", text, d->pointer, d->column,
                    d->text, pointer, column);
    assert_row(text, strcmp(d->pointer, pointer) == 0);
    assert_row(text, !column || d->column == column);
    assert_row(text, strstr(d->text, says));
    assert_int_equal(d->line, 1);
}

static void wrong_files(void **state)
{
    (void)state;
    wrong("{}", "", 1, "has no `job`");
    wrong("{\"serial\": 1}", "", 1, "has no `job`");
    wrong("{\"job\": {" SCHEDULE ", " TARGET "}, \"serail\": 1}", "/serail", 0, "`serial`?");
    wrong("{\"job\": {" SCHEDULE ", " TARGET "}, \"serial\": -1}", "/serial", 0, "whole number");
    wrong("{\"job\": []}", "/job", 9, "a job is a JSON object");
    wrong("{\"machine\": {\"name\": \"n\", \"secret\": \"s\"}}", "/machine", 2, "a machine");
    wrong("{\"job\": {" SCHEDULE ", " TARGET "}, \"machine\": {}}", "/machine", 0, "unknown here");
    struct vmcp_error err;
    struct vmcp_config c = {0};
    static const char job[] = "{\"job\": {" SCHEDULE ", " TARGET "}}";
    assert_code("", vmcp_config_parse("x", job, strlen(job), -1, &c, NULL, &err), err,
                VMCP_E_CONFIG);
    assert_non_null(strstr(err.text, "folder `jobs`"));
}

static void wrong_jobs(void **state)
{
    (void)state;
    wrong("{\"job\": {" TARGET "}}", "/job", 9, "has no `schedule`");
    wrong("{\"job\": {" SCHEDULE "}}", "/job", 9, "what is to be done?");
    wrong(JOB(TARGET ", \"launch\": \"web\""), "/job/launch", 0, "exclude each other");
    wrong(JOB("\"launch\": \"Web\""), "/job/launch", 0, "a machine's name");
    wrong(JOB("\"launch\": \"${vmcp.uuid}\""), "/job/launch", 0, "a machine's name");
    wrong(JOB("\"lanch\": \"web\", " TARGET), "/job/lanch", 37, "`launch`?");
    wrong(JOB("\"bodyJson\": {}, " TARGET), "/job/bodyJson", 0, "belongs into `httpTarget`");
    wrong(JOB("\"pubsubTarget\": {}, " TARGET), "/job/pubsubTarget", 0, "publish");
    wrong(JOB("\"appEngineHttpTarget\": {}, " TARGET), "/job/appEngineHttpTarget", 0, "httpTarget");
    wrong("{\"job\": {\"schedule\": \"*/5 * * 13 *\", " TARGET "}}", "/job/schedule", 31,
          "a month is 1 to 12");
    wrong("{\"job\": {\"schedule\": 5, " TARGET "}}", "/job/schedule", 22, "to be a string");
    wrong(JOB("\"timeZone\": \"../etc\", " TARGET), "/job/timeZone", 0, "IANA");
    wrong(JOB("\"attemptDeadline\": \"5s\", " TARGET), "/job/attemptDeadline", 0, "15s to 1800s");
    wrong(JOB("\"attemptDeadline\": \"3m\", " TARGET), "/job/attemptDeadline", 0, "in seconds");
    wrong(JOB("\"attemptDeadline\": 180, " TARGET), "/job/attemptDeadline", 0, "a string");
    wrong(JOB("\"waitForOperation\": \"true\", " TARGET), "/job/waitForOperation", 0, "true or");
    wrong(JOB("\"onMissed\": \"run\", " TARGET), "/job/onMissed", 0, "skip or runOnce");
    wrong(JOB("\"onDoubt\": \"skip\", " TARGET), "/job/onDoubt", 0, "report or retry");
    wrong(JOB("\"retryConfig\": {\"retryCount\": 6}, " TARGET), "/job/retryConfig/retryCount", 0,
          "0 to 5");
    wrong(JOB("\"retryConfig\": {\"maxBackoffDuration\": \"1s\"}, " TARGET), "/job/retryConfig", 0,
          "is over");
    wrong(JOB("\"retryConfig\": {\"retries\": 1}, " TARGET), "/job/retryConfig/retries", 0,
          "unknown here");
}

static void wrong_targets(void **state)
{
    (void)state;
    wrong(HTTP("\"httpMethod\": \"GET\""), "/job/httpTarget", 0, "no `uri`");
    wrong(HTTP("\"httpMethod\": \"get\", " URI), "/job/httpTarget/httpMethod", 0, "POST, GET");
    wrong(HTTP("\"url\": \"x\", " URI), "/job/httpTarget/url", 0, "`uri`?");
    wrong(HTTP("\"waitForOperation\": true, " URI), "/job/httpTarget/waitForOperation", 0,
          "stands beside");
    wrong(HTTP(URI ", \"body\": \"e30\""), "/job/httpTarget/body", 0, "base64");
    wrong(HTTP(URI ", \"body\": \"e30=\", \"bodyJson\": {}"), "/job/httpTarget/bodyJson", 0,
          "the same");
    wrong(HTTP(URI ", \"httpMethod\": \"GET\", \"bodyJson\": {}"), "/job/httpTarget/bodyJson", 0,
          "GET has no body");
    wrong(HTTP(URI ", \"headers\": {\"Host\": \"x\"}"), "/job/httpTarget/headers/Host", 0,
          "connection");
    wrong(HTTP(URI ", \"headers\": {\"transfer-encoding\": \"x\"}"),
          "/job/httpTarget/headers/transfer-encoding", 0, "connection");
    wrong(HTTP(URI ", \"headers\": {\"X-CloudScheduler-JobName\": \"x\"}"),
          "/job/httpTarget/headers/X-CloudScheduler-JobName", 0, "who runs the job");
    wrong(HTTP(URI ", \"headers\": {\"a b\": \"x\"}"), "/job/httpTarget/headers/a b", 0,
          "no header's name");
    wrong(HTTP(URI ", \"headers\": {\"a\": 1}"), "/job/httpTarget/headers/a", 0, "a string");
    wrong(HTTP(URI ", \"headers\": {\"a\": \"x\\r\\ny: z\"}"), "/job/httpTarget/headers/a", 0,
          "control");
    wrong(HTTP(URI ", \"headers\": {\"Aa\": \"x\", \"aa\": \"y\"}"), "/job/httpTarget/headers/aa",
          0, "one header");
    wrong(HTTP(URI ", \"oauthToken\": {}, \"headers\": {\"authorization\": \"x\"}"),
          "/job/httpTarget/headers/authorization", 0, "the token sets it");
    wrong(HTTP(URI ", \"oauthToken\": {}, \"oidcToken\": {}"), "/job/httpTarget/oidcToken", 0,
          "exclude each other");
    wrong(HTTP(URI ", \"oauthToken\": {\"audience\": \"x\"}"),
          "/job/httpTarget/oauthToken/audience", 0, "oidcToken's");
    wrong(HTTP(URI ", \"oauthToken\": {\"serviceAccountEmail\": \"sa\"}"),
          "/job/httpTarget/oauthToken/serviceAccountEmail", 0, "gserviceaccount");
    wrong(HTTP(URI ", \"oauthToken\": {\"scope\": \"${vmcp.uuid}\"}"),
          "/job/httpTarget/oauthToken/scope", 0, "not stand in a token");
}

/* Where a token may go. */
static void tokens(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {
        "https://googleapis.com.example.org/",
        "https://examplegoogleapis.com/",
        "https://example.org/googleapis.com",
        "https://compute.googleapis.com./",
        "https://compute.googleapis.com.evil/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://example.org:443/?compute.googleapis.com",
    };
    for (size_t i = 0; i < UNIT_COUNT(elsewhere); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "{\"job\": {" SCHEDULE ", \"httpTarget\": {\"oauthToken\": {}, \"uri\": \"%s\"}}}",
                 elsewhere[i]);
        struct vmcp_error err;
        auto_config struct vmcp_config c = {0};
        auto_diags struct vmcp_diags diags = {.universe = "googleapis.com"};
        assert_row(elsewhere[i], parse(text, &c, &diags, &err) < 0);
    }
    wrong(HTTP("\"oauthToken\": {}, \"uri\": \"http://compute.googleapis.com/\""),
          "/job/httpTarget/oauthToken", 0, "only ever sent over https");
    wrong(HTTP("\"oidcToken\": {}, \"uri\": \"http://example.org/\""), "/job/httpTarget/oidcToken",
          0, "only ever sent over https");
    wrong(HTTP("\"oauthToken\": {}, \"uri\": \"https://example.org/x\""), "/job/httpTarget/uri", 0,
          "googleapis.com and hosts under it only");
    static const char other[] =
        "{\"job\": {" SCHEDULE ", \"httpTarget\": {\"oauthToken\": {}, \"uri\": "
        "\"https://compute.example.org/x\"}}}";
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_job struct vmcp_job job = {0};
    auto_diags struct vmcp_diags diags = {.universe = "example.org"};
    assert_good("", parse(other, &c, &diags, &err), err);
    assert_good("", vmcp_job_read(c.job, "", NULL, &job, &err), err);
    assert_good("", vmcp_job_check_universe(&job, "example.org", &err), err);
    assert_code("", vmcp_job_check_universe(&job, "googleapis.com", &err), err, VMCP_E_JOB);
}

/* -- macros -------------------------------------------------------------------------------------
 */

static void uris(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        size_t at;
        enum vmcp_code code;
    } rows[] = {
        {"https://a.example/x/${vmcp.uuid}?y=${vmcp.attempt}", 0, VMCP_OK},
        {"https://a.example", 0, VMCP_OK},
        {"https://a.example?x", 0, VMCP_OK},
        {"http://127.0.0.1:8080/x%20y", 0, VMCP_OK},
        {"https://[2001:db8::1]:8443/x", 0, VMCP_OK},
        {"https://a.example/$${vmcp.x", 0, VMCP_OK},
        {"ftp://a.example/", 0, VMCP_E_URL_MALFORMED},
        {"HTTPS://a.example/", 0, VMCP_E_URL_MALFORMED},
        {"https:///x", 8, VMCP_E_URL_MALFORMED},
        {"https://u:p@a.example/", 8, VMCP_E_URL_MALFORMED},
        {"https://a.example\\@b/", 8, VMCP_E_URL_MALFORMED},
        {"https://a.example:0/", 18, VMCP_E_URL_MALFORMED},
        {"https://a.example:/", 18, VMCP_E_URL_MALFORMED},
        {"https://a.example:65536/", 18, VMCP_E_URL_MALFORMED},
        {"https://::1/", 8, VMCP_E_URL_MALFORMED},
        {"https://[::1/", 8, VMCP_E_URL_MALFORMED},
        {"https://[::1]x/", 8, VMCP_E_URL_MALFORMED},
        {"https://a..example/", 8, VMCP_E_URL_MALFORMED},
        {"https://a.example/x y", 19, VMCP_E_URL_MALFORMED},
        {"https://a.example/x#y", 19, VMCP_E_URL_MALFORMED},
        {"https://a.example/\xc3\xbc", 18, VMCP_E_URL_MALFORMED},
        {"https://a.example/%2", 18, VMCP_E_URL_MALFORMED},
        {"https://a.example/%zz", 18, VMCP_E_URL_MALFORMED},
        {"https://a.example/{x}", 18, VMCP_E_URL_MALFORMED},
        {"https://${vmcp.uuid}/", 8, VMCP_E_MACRO},
        {"https://a.${vmcp.uuid}.example/", 10, VMCP_E_MACRO},
        {"https://a.example:${vmcp.attempt}/", 18, VMCP_E_MACRO},
        {"${vmcp.previous.a}://a.example/", 0, VMCP_E_URL_MALFORMED},
        {"https://a.example/${vmcp.hostid}", 18, VMCP_E_MACRO},
        {"https://a.example/${vmcp.uuid", 18, VMCP_E_MACRO},
        {"https://a.example/${vmcp.previous.}", 18, VMCP_E_MACRO},
        {"https://a.example/${vmcp.previous.a..b}", 18, VMCP_E_MACRO},
        {"https://a.example/${vmcp.uuid.x}", 18, VMCP_E_MACRO},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_joburi u;
        struct vmcp_error err;
        size_t at = 999;
        if (rows[i].code == VMCP_OK) {
            assert_good(rows[i].uri, vmcp_joburi_parse(rows[i].uri, &u, &at, &err), err);
            continue;
        }
        assert_code(rows[i].uri, vmcp_joburi_parse(rows[i].uri, &u, &at, &err), err, rows[i].code);
        if (at != rows[i].at)
            print_error("%s: at %zu\n", rows[i].uri, at);
        assert_row(rows[i].uri, at == rows[i].at);
    }
}

static void macros(void **state)
{
    (void)state;
    static const char good[] =
        HTTP("\"uri\": \"https://a.example/${vmcp.uuid}\", \"headers\": {\"X-A\": "
             "\"${vmcp.scheduleTime}\"}, \"bodyJson\": {\"a\": [\"${vmcp.attempt}\", "
             "\"${vmcp.previous.items.0.size}\", \"${HOME} $${vmcp.x\"]}");
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_job struct vmcp_job job = {0};
    assert_good("", parse(good, &c, NULL, &err), err);
    assert_int_equal(c.macros, 0); /* none of them is the responder's */
    assert_good("", vmcp_job_read(c.job, "", NULL, &job, &err), err);
    assert_int_equal(job.macros, VMCP_JOBMACRO_UUID | VMCP_JOBMACRO_SCHEDULE_TIME |
                                     VMCP_JOBMACRO_ATTEMPT | VMCP_JOBMACRO_PREVIOUS |
                                     VMCP_JOBMACRO_LITERAL);
    wrong(HTTP(URI ", \"bodyJson\": {\"a\": \"x ${vmcp.now}\"}"), "/job/httpTarget/bodyJson/a", 0,
          "no macro of a job");
    wrong(HTTP(URI ", \"bodyJson\": {\"${vmcp.uuid}\": 1}"),
          "/job/httpTarget/bodyJson/${vmcp.uuid}", 0, "not in a key");
    wrong(HTTP(URI ", \"headers\": {\"${vmcp.uuid}\": \"x\"}"),
          "/job/httpTarget/headers/${vmcp.uuid}", 0, "a header's name");
    wrong(HTTP(URI ", \"body\": \"JHt2bWNwLnh9\""), "/job/httpTarget/body", 0, "no macro of a job");
    wrong(JOB("\"previousDefault\": {\"a\": {}}, \"httpTarget\": {" URI
              ", \"bodyJson\": \"${vmcp.previous.a}\"}"),
          "/job/httpTarget/bodyJson", 0, "previousDefault's `a`");
}

static void lookups(void **state)
{
    (void)state;
    json_auto_t *root = json_loads("{\"a\": {\"b\": [1, {\"c\": \"x\"}]}, \"d\": true}", 0, NULL);
    assert_int_equal(json_integer_value(vmcp_jobmacro_lookup(root, "a.b.0")), 1);
    assert_string_equal(json_string_value(vmcp_jobmacro_lookup(root, "a.b.1.c")), "x");
    assert_true(json_is_true(vmcp_jobmacro_lookup(root, "d")));
    assert_null(vmcp_jobmacro_lookup(root, "a.b.2"));
    assert_null(vmcp_jobmacro_lookup(root, "a.b.x"));
    assert_null(vmcp_jobmacro_lookup(root, "a.b.-1"));
    assert_null(vmcp_jobmacro_lookup(root, "d.e"));
    assert_null(vmcp_jobmacro_lookup(root, "x"));
    assert_null(vmcp_jobmacro_lookup(NULL, "x"));
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"0s", 0},
                {"180s", 180000},
                {"0.5s", 500},
                {"3.000000001s", 3000},
                {"1.25s", 1250},
                {"", -1},
                {"s", -1},
                {"5", -1},
                {"5 s", -1},
                {"-5s", -1},
                {"5.s", -1},
                {".5s", -1},
                {"5m", -1},
                {"1e3s", -1},
                {"5ss", -1},
                {"1.0000000001s", -1},
                {"+5s", -1},
                {"0x5s", -1},
                {"315576000000s", 315576000000000},
                {"315576000001s", -1},
                {"9999999999999999999s", -1}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        int64_t ms = -1;
        struct vmcp_error err = {0};
        int rc = vmcp_duration_parse(rows[i].text, &ms, &err);
        assert_row(rows[i].text, ms == rows[i].ms && (rc == 0) == (ms >= 0));
    }
}

/* What is good, and worth a word. */
static void warnings(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {JOB(TARGET ", \"state\": \"PAUSED\""), "/job/state"},
        {JOB("\"launch\": \"web\", \"waitForOperation\": true"), "/job/waitForOperation"},
        {JOB(TARGET ", \"previousDefault\": {\"a\": 1}"), "/job/previousDefault"},
        {HTTP(URI ", \"headers\": {\"Authorization\": \"Basic x\"}"),
         "/job/httpTarget/headers/Authorization"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_config struct vmcp_config c = {0};
        auto_diags struct vmcp_diags diags = {0};
        assert_good(rows[i][0], parse(rows[i][0], &c, &diags, &err), err);
        assert_int_equal(diags.count, 1);
        assert_string_equal(diags.items[0].pointer, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(wrong_jobs),
        cmocka_unit_test(wrong_targets),
        cmocka_unit_test(tokens),
        cmocka_unit_test(uris),
        cmocka_unit_test(macros),
        cmocka_unit_test(lookups),
        cmocka_unit_test(durations),
        cmocka_unit_test(warnings),
        cmocka_unit_test(a_pasted_job),
        cmocka_unit_test(what_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
