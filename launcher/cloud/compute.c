/* SPDX-License-Identifier: Apache-2.0 */
#include "compute.h"

#include <stdio.h>
#include <string.h>

#include "advice.h"
#include "clock.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "resource.h"

enum {
    ANSWER_MAX = 8 * 1024 * 1024, /* an instance holds 512 KB of metadata, escaped */
    URL_MAX = 2048,
    PAUSE_MAX = 32, /* seconds */
    CALL_S = 60,    /* for one exchange */
    BEARER_MAX = 32 * 1024
};

int launch_compute_base(struct launch_compute *compute, struct vmcp_error *err)
{
    const char *api = compute->rules->api;
    int rc = launch_destinations_check(compute->rules, err);
    if (rc < 0)
        return rc;
    size_t len = api ? strlen(api) : 0;
    int n = api ? snprintf(compute->base, sizeof(compute->base), "%s%s", api,
                           len && api[len - 1] == '/' ? "" : "/")
                : snprintf(compute->base, sizeof(compute->base), "https://compute.%s/compute/v1/",
                           compute->rules->universe);
    if (n < 0 || (size_t)n >= sizeof(compute->base))
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "--api-endpoint is too long");
    return launch_destination_check(compute->rules, compute->base, err);
}

/* The reason of a newer envelope: details[] of type ErrorInfo, else `status`. */
static const char *newer_reason(const json_t *error)
{
    const json_t *details = json_object_get(error, "details");
    for (size_t i = 0; i < json_array_size(details); i++) {
        const char *reason =
            json_string_value(json_object_get(json_array_get(details, i), "reason"));
        if (reason)
            return reason;
    }
    return json_string_value(json_object_get(error, "status"));
}

/* The first error's reason and the message, from Google's envelope. */
static void read_error(struct launch_reply *reply)
{
    const json_t *error = json_object_get(reply->json, "error");
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
    const char *reason = json_string_value(json_object_get(first, "reason"));
    const char *message = json_string_value(json_object_get(error, "message"));
    if (!reason)
        reason = newer_reason(error);
    launch_clean(reason ? reason : "", reply->reason, sizeof(reply->reason));
    launch_clean(message ? message : "", reply->message, sizeof(reply->message));
}

/* A VM may write NUL to its serial port. jansson refuses it, as a C string would end there: U+FFFD
 * stands in its place. */
static void replace_nul(struct vmcp_buf *body)
{
    for (size_t i = 0; i + 6 <= body->len; i++) {
        if (body->data[i] != '\\')
            continue;
        if (memcmp(body->data + i + 1, "u0000", 5) == 0)
            memcpy(body->data + i + 1, "ufffd", 5);
        i++; /* what is escaped, perhaps a backslash */
    }
}

static int once(const struct launch_compute *c, struct http_exchange *exchange,
                struct launch_reply *reply, int *ret_after, struct vmcp_error *err)
{
    auto_response struct http_response response = {0};
    int rc = http_client_do(c->http, exchange, &response, err);
    reply->repeated |= rc < 0 && response.maybe_sent;
    if (rc < 0)
        return rc;
    reply->status = response.status;
    *ret_after = response.retry_after;
    /* A page of HTML that came with 200 is from in front of the API, whatever it says. */
    bool is_json = strcmp(response.content_type, "application/json") == 0;
    replace_nul(&response.body);
    if (is_json && response.body.len &&
        vmcp_json_parse_object(response.body.data, response.body.len, &reply->json, NULL) < 0)
        reply->json = NULL;
    if (reply->status >= 400)
        read_error(reply);
    return 0;
}

static bool can_succeed_later(const struct launch_reply *reply)
{
    static const struct {
        long status;
        const char *reason;
    } rows[] = {{403, "rateLimitExceeded"},
                {403, "RATE_LIMIT_EXCEEDED"},
                {400, "resourceNotReady"},
                {409, "resourceInUse"},
                {409, "concurrentModification"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (reply->status == rows[i].status && strcmp(reply->reason, rows[i].reason) == 0)
            return true;
    return reply->status == 429 || reply->status >= 500;
}

static void reset(struct launch_reply *reply)
{
    bool repeated = reply->repeated;
    launch_reply_clear(reply);
    reply->repeated = repeated;
}

/* Sleep before the next try; false where the call's time is over. */
static bool wait_for_next(const struct launch_compute *c, int n, int after, int64_t start,
                          const char *why)
{
    long long ms = launch_pause_ms(n, after, PAUSE_MAX);
    if (launch_uptime_ms() + ms > start + c->patience * INT64_C(1000))
        return false;
    launch_progress(c->report, "the Compute API %s; trying again in %lld.%lld s", why, ms / 1000,
                    ms % 1000 / 100);
    launch_sleep_ms(ms);
    return true;
}

/* All tries of one call. */
static int persist(const struct launch_compute *c, struct http_exchange *exchange,
                   struct launch_reply *reply, struct vmcp_error *err)
{
    int64_t start = launch_uptime_ms();
    auto_secret_buf struct vmcp_buf bearer = VMCP_BUF(BEARER_MAX), refused = VMCP_BUF(BEARER_MAX);
    for (int n = 1;; n++) {
        char why[500];
        int after = -1;
        reset(reply);
        int rc = launch_token_get(c->token, refused.data, start + c->patience * INT64_C(1000),
                                  &bearer, err);
        if (rc < 0)
            return rc;
        exchange->bearer = bearer.data;
        rc = once(c, exchange, reply, &after, err);
        if (rc == 0 && reply->status == 401 && !refused.data) {
            vmcp_buf_add(&refused, bearer.data, bearer.len);
            continue;
        }
        if (rc == 0 && !can_succeed_later(reply))
            return 0;
        if (rc == -VMCP_E_ANSWER_TOO_LARGE)
            return vmcp_fail_at(err, VMCP_E_API, c->base, "%s", err->text);
        if (rc < 0 && rc != -VMCP_E_NETWORK && rc != -VMCP_E_TIMEOUT)
            return rc;
        /* A 5xx may come from in front of a server that did the work. */
        reply->repeated |= rc == 0 && reply->status >= 500;
        if (rc < 0)
            snprintf(why, sizeof(why), "does not answer: %s", err->text);
        else
            snprintf(why, sizeof(why), "answers %ld %s", reply->status, reply->message);
        if (!wait_for_next(c, n, after, start, why))
            return rc < 0 ? vmcp_fail_at(err, VMCP_E_NETWORK, c->base, "%s", err->text) : 0;
    }
}

int launch_compute_call(const struct launch_compute *compute, const char *method, const char *path,
                        const char *body, size_t body_len, int timeout, struct launch_reply *ret,
                        struct vmcp_error *err)
{
    char url[URL_MAX];
    int n = snprintf(url, sizeof(url), "%s%s", compute->base, path);
    if (n < 0 || (size_t)n >= sizeof(url))
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "a Compute URL over %d characters", URL_MAX);
    int rc = launch_destination_check(compute->rules, compute->base, err);
    if (rc < 0)
        return rc;
    int most = compute->patience < CALL_S ? compute->patience : CALL_S;
    struct http_exchange exchange = {.method = method,
                                     .url = url,
                                     .accept = "application/json",
                                     .content_type = body ? "application/json" : NULL,
                                     .body = body,
                                     .body_len = body_len,
                                     .max_body = ANSWER_MAX,
                                     .send_once = body,
                                     .total_timeout_ms = (timeout ? timeout : most) * 1000,
                                     .stall_timeout_s = timeout};
    return persist(compute, &exchange, ret, err);
}

int launch_reply_check(const struct launch_compute *compute, const struct launch_reply *reply,
                       struct vmcp_error *err)
{
    char buffer[600];
    if (reply->status >= 200 && reply->status < 300 && reply->json)
        return 0;
    if (reply->status >= 200 && reply->status < 300)
        return vmcp_fail(err, VMCP_E_API, "the Compute API answers %ld without a JSON object",
                         reply->status);
    const char *who = launch_token_name(compute->token);
    const char *advice =
        launch_advice(reply->reason, reply->message, who, buffer, (int)sizeof(buffer));
    if (advice)
        launch_advise(compute->report, advice);
    enum vmcp_code code = reply->status == 401 ? VMCP_E_CREDENTIALS : VMCP_E_API;
    return vmcp_fail_at(err, code, reply->status == 401 ? who : "",
                        "the Compute API answers %ld%s%s: %s", reply->status,
                        reply->reason[0] ? " " : "", reply->reason,
                        reply->message[0] ? reply->message : "(no message)");
}

bool launch_reply_is_error(const struct launch_reply *reply)
{
    return reply->status >= 400 && json_is_object(json_object_get(reply->json, "error"));
}

bool launch_reply_is_absence(const struct launch_reply *reply)
{
    return reply->status == 404 && launch_reply_is_error(reply);
}

int launch_compute_get(const struct launch_compute *compute, const char *path, json_t **ret,
                       struct vmcp_error *err)
{
    auto_reply struct launch_reply reply = {0};
    *ret = NULL;
    int rc = launch_compute_call(compute, "GET", path, NULL, 0, 0, &reply, err);
    if (rc < 0)
        return rc;
    if (launch_reply_is_absence(&reply))
        return 0;
    rc = launch_reply_check(compute, &reply, err);
    if (rc == 0)
        *ret = steal(&reply.json);
    return rc;
}

void launch_reply_clear(struct launch_reply *reply)
{
    json_decref(reply->json);
    *reply = (struct launch_reply){0};
}
