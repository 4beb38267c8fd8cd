/* SPDX-License-Identifier: Apache-2.0 */
#include "attempt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "cloud/resource.h"
#include "lib/json.h"
#include "lro.h"

enum {
    BEARER_MAX = 32 * 1024,
    ANSWER_MAX = 8 * 1024 * 1024,
    POLL_FIRST_MS = 250,
    POLL_MAX_MS = 5000,
    POLL_TIMEOUT_MS = 30000,
    TOKEN_S = 60,  /* to get a token */
    RESEND_MAX = 8 /* seconds between two */
};

/* One exchange's inputs. */
struct call {
    struct launch_worker *worker;
    const struct vmcp_job *job;
    const char *uri; /* for the token's audience */
    struct http_exchange exchange;
};

static bool is_unknown(int rc, const struct http_response *response)
{
    return rc < 0 && response->maybe_sent;
}

static int get_token(const struct call *c, const char *refused, struct vmcp_buf *bearer,
                     struct vmcp_error *err)
{
    struct launch_jobs *jobs = c->worker->jobs;
    return launch_tokens_get(jobs->tokens, c->job, c->uri, c->exchange.url, refused,
                             launch_uptime_ms() + TOKEN_S * 1000, bearer, err);
}

/* Some receivers answer with what they were sent: what is kept of it is no token. */
static void hide(struct vmcp_buf *body, const struct vmcp_buf *secret)
{
    char *at = body->data;
    while (secret->len && at &&
           (at = memmem(at, body->len - (size_t)(at - body->data), secret->data, secret->len)))
        memset(at, '*', secret->len);
}

/* One exchange, with a token where the job wants one; a 401 gets a fresh one, once, and the time
 * that was left. */
static int exchange(struct call *c, struct http_response *response, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf bearer = VMCP_BUF(BEARER_MAX), refused = VMCP_BUF(BEARER_MAX);
    int64_t end = launch_uptime_ms() + c->exchange.total_timeout_ms;
    for (;;) {
        int rc = 0;
        if (c->job->token != VMCP_JOB_TOKEN_NONE)
            rc = get_token(c, refused.data, &bearer, err);
        if (rc < 0)
            return rc;
        c->exchange.bearer = bearer.data;
        rc = http_client_do(c->worker->http, &c->exchange, response, err);
        c->exchange.bearer = NULL;
        hide(&response->body, &bearer);
        hide(&response->body, &refused);
        if (rc < 0 || response->status != 401 || refused.data || !bearer.data)
            return rc;
        vmcp_buf_add(&refused, bearer.data, bearer.len);
        http_response_clear(response);
        int64_t left = end - launch_uptime_ms();
        c->exchange.total_timeout_ms = left > 1000 ? (int)left : 1000;
    }
}

static void fail(struct launch_attempt_row *row, enum launch_outcome outcome, const char *why)
{
    row->outcome = outcome;
    launch_clean(why, row->error, sizeof(row->error));
}

/* Ask how it is, until it is done or the time for operations is over. */
static void follow(struct launch_worker *worker, const struct vmcp_job *job,
                   struct launch_attempt_row *row, struct vmcp_buf *answer)
{
    struct launch_jobs *jobs = worker->jobs;
    struct call c = {.worker = worker,
                     .job = job,
                     .uri = row->uri,
                     .exchange = {.url = row->operation,
                                  .accept = "application/json",
                                  .max_body = ANSWER_MAX,
                                  .total_timeout_ms = POLL_TIMEOUT_MS}};
    int64_t end = jobs->now_ms(jobs->clock_arg) + jobs->run.settings->timeout * 1000;
    char last[LAUNCH_WHY_MAX] = "it still runs";
    for (int64_t pause = POLL_FIRST_MS;;
         pause = pause * 2 < POLL_MAX_MS ? pause * 2 : POLL_MAX_MS) {
        auto_response struct http_response response = {0};
        struct vmcp_error err = {0};
        json_auto_t *op = NULL;
        int rc = exchange(&c, &response, &err);
        if (rc == 0 && response.status == 200 && response.body.len)
            rc = vmcp_json_parse_object(response.body.data, response.body.len, &op, &err);
        struct launch_lro state = launch_lro_read(op);
        if (state.is_one && state.done) {
            vmcp_buf_reset(answer);
            vmcp_buf_add(answer, response.body.data, response.body.len);
            fail(row, state.failed ? LAUNCH_OUTCOME_FAILED : LAUNCH_OUTCOME_SUCCEEDED, state.error);
            return;
        }
        if (rc < 0)
            snprintf(last, sizeof(last), "%s", err.text);
        else if (!state.is_one)
            snprintf(last, sizeof(last), "it is answered with status %ld", response.status);
        int64_t now = jobs->now_ms(jobs->clock_arg);
        if (now + pause > end || response.status == 404)
            break;
        if (!jobs->wait_until_ms(jobs->clock_arg, now + pause)) {
            row->outcome = LAUNCH_OUTCOME_OPEN; /* we are to stop: the next one follows it */
            return;
        }
    }
    char why[LAUNCH_WHY_MAX];
    snprintf(why, sizeof(why), "the operation's end was not seen: %.300s", last);
    fail(row, LAUNCH_OUTCOME_DOUBT, why);
}

void launch_attempt_follow(struct launch_worker *worker, const struct vmcp_job *job,
                           struct launch_attempt_row *row, struct vmcp_buf *answer)
{
    follow(worker, job, row, answer);
}

/* A 2xx: done, or an operation that is followed. */
static int accept(struct launch_worker *worker, const struct vmcp_job *job,
                  const struct launch_request *request, const struct http_response *response,
                  struct launch_attempt_row *row, struct vmcp_buf *answer, struct vmcp_error *err)
{
    json_auto_t *json = NULL;
    fail(row, LAUNCH_OUTCOME_SUCCEEDED, "");
    if (!job->wait_for_operation)
        return 0;
    if (!response->body.len ||
        vmcp_json_parse_object(response->body.data, response->body.len, &json, NULL) < 0)
        json = NULL;
    struct launch_lro state = launch_lro_read(json);
    if (!state.is_one || state.done) {
        if (state.failed)
            fail(row, LAUNCH_OUTCOME_FAILED, state.error);
        return 0;
    }
    if (!launch_lro_url(&worker->jobs->reach, request->url.data, json, row->operation,
                        sizeof(row->operation))) {
        row->operation[0] = '\0';
        fail(row, LAUNCH_OUTCOME_DOUBT, "the answer is an operation of another API: not followed");
        return 0;
    }
    int rc = launch_history_follow(worker->history, row->id, row->status, row->operation, err);
    if (rc == 0)
        follow(worker, job, row, answer);
    return rc;
}

/* Google's words where there are any. */
static void refuse(const struct http_response *response, struct launch_attempt_row *row)
{
    json_auto_t *json = NULL;
    char why[LAUNCH_WHY_MAX];
    if (!response->body.len ||
        vmcp_json_parse_object(response->body.data, response->body.len, &json, NULL) < 0)
        json = NULL;
    const json_t *error = json_object_get(json, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    snprintf(why, sizeof(why), "status %ld%s%.300s", response->status, message ? ": " : "",
             message ? message : "");
    fail(row, LAUNCH_OUTCOME_FAILED, why);
}

/* Send once more? Only what acts once, and only until the deadline. *ret_stopped: it would be, but
 * we are to stop. */
static bool send_again(struct launch_jobs *jobs, const struct launch_request *request, int n,
                       int64_t end, bool *ret_stopped)
{
    int64_t now = jobs->now_ms(jobs->clock_arg), pause = launch_pause_ms(n, -1, RESEND_MAX);
    if (!request->repeatable || now + pause >= end)
        return false;
    *ret_stopped = !jobs->wait_until_ms(jobs->clock_arg, now + pause);
    return !*ret_stopped;
}

/* The status came, and more behind it than anybody keeps: what counts is the status, unless it is
 * to be read what the answer is. */
static bool is_cut(int rc, const struct http_response *response)
{
    return rc == -VMCP_E_ANSWER_TOO_LARGE && response->status >= 200;
}

static bool names_accept(const struct vmcp_job *job)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)job->headers, name, value)
    {
        if (strcasecmp(name, "Accept") == 0)
            return true;
    }
    return false;
}

int launch_attempt_send(struct launch_worker *worker, const struct vmcp_job *job,
                        const struct launch_request *request, struct launch_attempt_row *row,
                        struct vmcp_buf *answer, struct vmcp_error *err)
{
    struct launch_jobs *jobs = worker->jobs;
    int64_t end = jobs->now_ms(jobs->clock_arg) + job->attempt_deadline_ms;
    struct call c = {.worker = worker, .job = job, .uri = request->uri.data};
    c.exchange = (struct http_exchange){
        .method = job->method,
        .url = request->url.data,
        .accept = names_accept(job) ? NULL : "*/*",
        .body = request->body.len ? request->body.data : NULL,
        .body_len = request->body.len,
        .headers = (const char *const *)request->headers,
        .max_body = ANSWER_MAX,
        .send_once = true,
    };
    for (int n = 1;; n++) {
        auto_response struct http_response response = {0};
        struct vmcp_error why = {0};
        int64_t left = end - jobs->now_ms(jobs->clock_arg);
        c.exchange.total_timeout_ms = left > 1000 ? (int)left : 1000;
        c.exchange.stall_timeout_s = c.exchange.total_timeout_ms / 1000 + 1;
        int rc = exchange(&c, &response, &why);
        row->status = (int)response.status;
        vmcp_buf_reset(answer);
        vmcp_buf_add(answer, response.body.data ? response.body.data : "", response.body.len);
        if (is_cut(rc, &response) && job->wait_for_operation && response.status < 300) {
            fail(row, LAUNCH_OUTCOME_DOUBT, why.text);
            return 0;
        }
        if (is_cut(rc, &response))
            rc = 0;
        if (rc == 0 && response.status >= 200 && response.status < 300)
            return accept(worker, job, request, &response, row, answer, err);
        if (rc == 0) {
            refuse(&response, row);
            return 0;
        }
        bool unknown = is_unknown(rc, &response) && rc != -VMCP_E_REDIRECT, stopped = false;
        if (unknown && send_again(jobs, request, n, end, &stopped))
            continue;
        if (stopped)
            return 0; /* still open: the next one settles it */
        fail(row, unknown && !request->safe ? LAUNCH_OUTCOME_DOUBT : LAUNCH_OUTCOME_FAILED,
             why.text);
        return 0;
    }
}
