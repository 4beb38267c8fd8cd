/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "resource.h"

enum {
    WAIT_MAX = 130, /* seconds of one `wait`, which answers after two minutes at most */
    CODE_MAX = 64
};

/* The operation's own failure, or 0. */
static int outcome(const json_t *op, const char *name, char *ret_code, struct vmcp_error *err)
{
    const json_t *error = json_object_get(op, "error");
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
    const char *code = json_string_value(json_object_get(first, "code"));
    const char *message = json_string_value(json_object_get(first, "message"));
    char clean_code[CODE_MAX], clean_message[180];
    if (!error || json_is_null(error))
        return 0;
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
    return rc < 0 ? rc : launch_reply_check(reply, err);
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

int launch_operation_follow(const struct launch_compute *compute, const char *zone,
                            const json_t *op, int timeout, char *ret_code, struct vmcp_error *err)
{
    auto_reply struct launch_reply reply = {0};
    const char *name = NULL, *status = NULL;
    char kept[129];
    if (ret_code)
        *ret_code = '\0';
    int rc = read_operation(op, &name, &status, err);
    if (rc < 0)
        return rc;
    snprintf(kept, sizeof(kept), "%s", name);
    launch_say(compute->report, "operation %s is %s", name, status);
    time_t end = launch_uptime() + timeout;
    for (;;) {
        if (strcmp(status, "DONE") == 0)
            return outcome(op, kept, ret_code, err);
        time_t left = end - launch_uptime();
        if (left <= 0)
            return vmcp_fail_at(err, VMCP_E_TIMEOUT, kept,
                                "the operation is still %s after %d s; run the same command again "
                                "to follow it further",
                                status, timeout);
        launch_reply_clear(&reply);
        time_t asked = launch_uptime();
        rc =
            wait_once(compute, zone, kept, left < WAIT_MAX ? (int)left + 1 : WAIT_MAX, &reply, err);
        if (rc == 0)
            rc = read_operation(reply.json, &name, &status, err);
        if (rc < 0)
            return vmcp_error_locate(err, kept);
        op = reply.json;
        /* `wait` is best effort: it may answer at once. */
        if (strcmp(status, "DONE") != 0 && launch_uptime() - asked < 1)
            launch_sleep_ms(1000);
    }
}

int launch_operation_find(const struct launch_compute *compute, const char *zone,
                          const char *request_id, json_t **ret, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX + 128];
    json_auto_t *list = NULL;
    size_t i;
    json_t *op;
    *ret = NULL;
    snprintf(path, sizeof(path),
             "projects/%s/zones/%s/operations?filter=clientOperationId%%20%%3D%%20%%22%s%%22",
             compute->project, zone, request_id);
    int rc = launch_compute_get(compute, path, &list, err);
    if (rc < 0)
        return rc;
    json_array_foreach(json_object_get(list, "items"), i, op)
    {
        const char *id = json_string_value(json_object_get(op, "clientOperationId"));
        if (id && strcmp(id, request_id) == 0) {
            *ret = json_incref(op);
            return 0;
        }
    }
    return 0;
}
