/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "advice.h"
#include "clock.h"
#include "resource.h"

enum {
    WAIT_MAX = 130, /* seconds of one `wait`, which answers after two minutes at most */
    CODE_MAX = 64,
    PAGES_MAX = 200, /* of 500 operations */
    PAGE_TOKEN_MAX = 1024
};

/* All errors of an operation are told, with what may help; the first is the one that is returned.
 */
static void tell_errors(const struct launch_compute *compute, const json_t *errors,
                        const char *name)
{
    char buffer[600], code[CODE_MAX], message[400];
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *e = json_array_get(errors, i);
        const char *c = json_string_value(json_object_get(e, "code"));
        const char *m = json_string_value(json_object_get(e, "message"));
        launch_clean(c ? c : "UNKNOWN", code, sizeof(code));
        launch_clean(m ? m : "", message, sizeof(message));
        launch_say(compute->report, "operation %s failed: %s: %s", name, code, message);
        const char *advice = launch_advice(code, message, launch_token_name(compute->token), buffer,
                                           (int)sizeof(buffer));
        if (advice)
            launch_advise(compute->report, advice);
    }
}

/* The operation's own failure, or 0. */
static int outcome(const struct launch_compute *compute, const json_t *op, const char *name,
                   char *ret_code, struct vmcp_error *err)
{
    const json_t *error = json_object_get(op, "error");
    const json_t *errors = json_object_get(error, "errors");
    const json_t *first = json_array_get(errors, 0);
    const char *code = json_string_value(json_object_get(first, "code"));
    const char *message = json_string_value(json_object_get(first, "message"));
    char clean_code[CODE_MAX], clean_message[180];
    if (!error || json_is_null(error))
        return 0;
    tell_errors(compute, errors, name);
    launch_clean(code ? code : "UNKNOWN", clean_code, sizeof(clean_code));
    launch_clean(message ? message : "", clean_message, sizeof(clean_message));
    if (ret_code)
        memcpy(ret_code, clean_code, CODE_MAX);
    return vmcp_fail_at(err, VMCP_E_OPERATION, name, "%s: %s", clean_code, clean_message);
}

static int wait_once(const struct launch_compute *compute, const char *zone, const char *name,
                     int timeout, struct launch_reply *reply, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX];
    snprintf(path, sizeof(path), "projects/%s/zones/%s/operations/%s/wait", compute->project, zone,
             name);
    int rc = launch_compute_call(compute, "POST", path, NULL, 0, timeout, reply, err);
    return rc < 0 ? rc : launch_reply_check(compute, reply, err);
}

/* Status and name of an Operation; the name becomes part of a URL. */
static int read_operation(const json_t *op, const char **ret_name, const char **ret_status,
                          struct vmcp_error *err)
{
    *ret_name = json_string_value(json_object_get(op, "name"));
    *ret_status = json_string_value(json_object_get(op, "status"));
    if (*ret_name && *ret_status && launch_is_operation(*ret_name))
        return 0;
    return vmcp_fail(err, VMCP_E_API, "the Compute API's answer is not an operation");
}

static int too_long(const char *name, const char *status, int timeout, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_TIMEOUT, name,
                        "the operation is still %s after %d s; run the same command again to "
                        "follow it further",
                        status, timeout);
}

/* One more look. A connection that is lost is no news of the operation: *ret_lost. */
static int look(const struct launch_compute *compute, const char *zone, const char *name,
                int64_t left, struct launch_reply *reply, bool *ret_lost, struct vmcp_error *err)
{
    int64_t asked = launch_uptime_ms();
    int timeout = left < WAIT_MAX ? (int)left + 1 : WAIT_MAX;
    struct launch_compute brief = *compute;
    if (brief.patience > timeout)
        brief.patience = timeout;
    launch_reply_clear(reply);
    int rc = wait_once(&brief, zone, name, timeout, reply, err);
    *ret_lost = rc == -VMCP_E_NETWORK;
    /* `wait` is best effort: it may answer at once. */
    const char *status = json_string_value(json_object_get(reply->json, "status"));
    if ((*ret_lost || !status || strcmp(status, "DONE") != 0) && launch_uptime_ms() - asked < 1000)
        launch_sleep_ms(1000);
    return rc;
}

int launch_operation_follow(const struct launch_compute *compute, const char *zone,
                            const json_t *op, int timeout, char *ret_code, struct vmcp_error *err)
{
    auto_reply struct launch_reply reply = {0};
    const char *name = NULL, *status = NULL;
    char kept[129], was[16] = "", told[16] = "";
    if (ret_code)
        *ret_code = '\0';
    int rc = read_operation(op, &name, &status, err);
    if (rc < 0)
        return rc;
    snprintf(kept, sizeof(kept), "%s", name);
    int64_t end = launch_uptime() + timeout;
    for (;;) {
        bool lost = false;
        if (status != was)
            snprintf(was, sizeof(was), "%s", status);
        if (strcmp(was, "DONE") == 0)
            return outcome(compute, op, kept, ret_code, err);
        int64_t left = end - launch_uptime();
        if (left <= 0)
            return too_long(kept, was, timeout, err);
        if (strcmp(told, was) != 0)
            launch_progress(compute->report, "operation %s is %s", kept, was);
        memcpy(told, was, sizeof(told));
        rc = look(compute, zone, kept, left, &reply, &lost, err);
        if (lost && launch_uptime() >= end) /* `wait` answers when there is news, or late */
            return too_long(kept, was, timeout, err);
        if (lost) {
            launch_warn(compute->report, "lost sight of operation %s (%s); looking again", kept,
                        err->text);
            status = was;
            continue;
        }
        if (rc == 0)
            rc = read_operation(reply.json, &name, &status, err);
        if (rc < 0)
            return vmcp_error_locate(err, kept);
        op = reply.json;
    }
}

/* The operation in one page of a list; borrowed, NULL: it is not there. */
static json_t *pick(const json_t *list, const char *request_id)
{
    size_t i;
    json_t *op;
    json_array_foreach(json_object_get(list, "items"), i, op)
    {
        const char *id = json_string_value(json_object_get(op, "clientOperationId"));
        if (id && strcmp(id, request_id) == 0)
            return op;
    }
    return NULL;
}

/* One page; `token` says which (NULL: the first). */
static int read_page(const struct launch_compute *compute, const char *zone, const char *request_id,
                     const char *token, json_t **ret, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX + 128 + PAGE_TOKEN_MAX];
    auto_free char *escaped = token ? http_escape(token) : NULL;
    if (token && !escaped)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    int n = snprintf(
        path, sizeof(path),
        "projects/%s/zones/%s/operations?filter=clientOperationId%%20%%3D%%20%%22%s%%22%s%s",
        compute->project, zone, request_id, token ? "&pageToken=" : "", token ? escaped : "");
    if (n < 0 || (size_t)n >= sizeof(path))
        return vmcp_fail(err, VMCP_E_API, "the list of operations goes on at too long a token");
    return launch_compute_get(compute, path, ret, err);
}

/* A page may be empty and not the last: the filter is applied to what was read for it. */
int launch_operation_find(const struct launch_compute *compute, const char *zone,
                          const char *request_id, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *list = NULL;
    struct launch_compute brief = *compute; /* all pages have the time of one call */
    int64_t end = launch_uptime() + compute->patience;
    *ret = NULL;
    for (int pages = 0; pages < PAGES_MAX; pages++) {
        json_auto_t *last = steal(&list);
        const char *token = json_string_value(json_object_get(last, "nextPageToken"));
        if (pages > 0 && (!token || !*token))
            return 0;
        brief.patience = (int)(end - launch_uptime());
        if (brief.patience < 1)
            return vmcp_fail(err, VMCP_E_TIMEOUT,
                             "the list of operations goes on after %d s and %d pages",
                             compute->patience, pages);
        int rc = read_page(&brief, zone, request_id, token, &list, err);
        if (rc < 0)
            return rc;
        *ret = json_incref(pick(list, request_id));
        if (*ret)
            return 0;
    }
    return vmcp_fail(err, VMCP_E_API, "the list of operations does not end after %d pages",
                     PAGES_MAX);
}
