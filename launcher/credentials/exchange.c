/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "cloud/resource.h"
#include "lib/json.h"

enum { ANSWER_MAX = 64 * 1024, TRIES = 5, PAUSE_MAX_S = 16, ONE_TRY_MS = 30000, SKEW_TOLD_S = 60 };

int launch_time_left(int64_t end, int most)
{
    int64_t left = end - launch_uptime_ms();
    return left < 1000 ? 1000 : left < most ? (int)left : most;
}

void launch_form_add(struct vmcp_buf *form, const char *key, const char *value)
{
    auto_free char *escaped = http_escape(value);
    vmcp_buf_addf(form, "%s%s=%s", form->len ? "&" : "", key, escaped ? escaped : "");
    if (escaped)
        explicit_bzero(escaped, strlen(escaped));
    else
        form->failed = VMCP_E_NO_MEMORY;
}

/* What an endpoint says, and what usually mends it. The words are Google's. */
static const struct {
    const char *said, *advice;
} advices[] = {
    {"Invalid JWT Signature", "the key was deleted, or is another account's; make a new key file"},
    {"Failed audience check", "token_uri is not the endpoint that the account's project uses"},
    {"account not found", "the account is gone or disabled"},
    {"Not a valid email", "the account is gone or disabled"},
    {"account has been deleted", "the account is gone"},
    {"expired or revoked", "log in again: gcloud auth application-default login"},
    {"invalid_rapt", "log in again: gcloud auth application-default login"},
    {"getAccessToken", "the caller needs roles/iam.serviceAccountTokenCreator on that account"},
};

static const char *advice_for(const char *what, const char *why)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++)
        if (strstr(why, advices[i].said) || strstr(what, advices[i].said))
            return advices[i].advice;
    return NULL;
}

/* A clock that is wrong makes every assertion wrong, whatever the endpoint says about it. */
static bool clock_is_off(int64_t date, const char *why, char *ret, size_t size)
{
    long long skew = date ? (long long)(time(NULL) - date) : 0;
    bool told = strstr(why, "short-lived token");
    if (!told && llabs(skew) < SKEW_TOLD_S)
        return false;
    if (llabs(skew) < SKEW_TOLD_S)
        snprintf(ret, size, "is this machine's clock right?");
    else
        snprintf(ret, size, "this machine's clock is %lld s %s the endpoint's; set it right",
                 llabs(skew), skew > 0 ? "ahead of" : "behind");
    return true;
}

/* RFC 6749, section 5.2: {"error", "error_description"}; Google's APIs: {"error": {"message"}}. */
static int refused(const struct http_response *r, const json_t *document, struct vmcp_error *err)
{
    char what[64] = "", why[160] = "", clock[128] = "";
    const json_t *error = json_object_get(document, "error");
    const char *e =
        json_string_value(json_is_object(error) ? json_object_get(error, "status") : error);
    const char *d =
        json_string_value(json_is_object(error) ? json_object_get(error, "message")
                                                : json_object_get(document, "error_description"));
    const char *subtype = json_string_value(json_object_get(document, "error_subtype"));
    launch_clean(subtype ? subtype : e ? e : "", what, sizeof(what));
    launch_clean(d ? d : "", why, sizeof(why));
    const char *advice = advice_for(what, why);
    if (clock_is_off(r->date, why, clock, sizeof(clock)) && !advice)
        advice = clock;
    return vmcp_fail(err, VMCP_E_CREDENTIALS, "the endpoint answers %ld %s: %.120s%s%s", r->status,
                     what, why, advice ? "; " : "", advice ? advice : "");
}

static bool can_help(const struct http_response *r, const json_t *document)
{
    static const char *const words[] = {"internal_failure", "server_error",
                                        "temporarily_unavailable"};
    const char *e = json_string_value(json_object_get(document, "error"));
    const char *d = json_string_value(json_object_get(document, "error_description"));
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if ((e && strcmp(e, words[i]) == 0) || (d && strcmp(d, words[i]) == 0))
            return true;
    return r->status == 408 || r->status == 429 || (r->status >= 500 && r->status <= 504);
}

static int once(struct http_client *http, const struct launch_post *post, json_t **ret,
                int64_t *ret_date, bool *ret_again, int *ret_after, struct vmcp_error *err)
{
    json_auto_t *document = NULL;
    auto_response struct http_response response = {0};
    struct http_exchange exchange = {.method = "POST",
                                     .url = post->url,
                                     .accept = "application/json",
                                     .content_type = post->content_type,
                                     .body = post->body,
                                     .body_len = strlen(post->body),
                                     .bearer = post->bearer,
                                     .max_body = ANSWER_MAX,
                                     .total_timeout_ms = launch_time_left(post->end, ONE_TRY_MS)};
    int rc = http_client_do(http, &exchange, &response, err);
    *ret_again = rc == -VMCP_E_NETWORK || rc == -VMCP_E_TIMEOUT;
    if (rc == -VMCP_E_TIMEOUT)
        return vmcp_fail(err, VMCP_E_NETWORK, "%s", err->text);
    if (rc < 0)
        return rc;
    bool is_json =
        response.body.data &&
        vmcp_json_parse_object(response.body.data, response.body.len, &document, NULL) == 0;
    *ret_again = can_help(&response, document);
    *ret_after = response.retry_after;
    *ret_date = response.date;
    if (response.status != 200)
        return refused(&response, document, err);
    if (!is_json)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "the endpoint's answer is not a JSON object");
    *ret = steal(&document);
    return 0;
}

int launch_exchange(struct http_client *http, const struct launch_destinations *rules,
                    const struct launch_post *post, json_t **ret, int64_t *ret_date,
                    struct vmcp_error *err)
{
    int rc = launch_destination_check(rules, post->url, err);
    if (rc < 0)
        return rc;
    for (int n = 1;; n++) {
        bool again = false;
        int after = -1;
        rc = once(http, post, ret, ret_date, &again, &after, err);
        if (rc == 0 || !again || n == TRIES || after > PAUSE_MAX_S)
            return rc;
        int64_t pause = launch_pause_ms(n, after, PAUSE_MAX_S);
        if (launch_uptime_ms() + pause >= post->end)
            return rc;
        launch_sleep_ms(pause);
    }
}
