/* SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "insert.h"
#include "operation.h"
#include "ref.h"
#include "worker.h"

enum { UUID_LEN = 36 };

/* The request id in lower case; "" if there is none. Any UUID but zero will do. */
static int read_request_id(const struct emu_call *call, char ret[static UUID_LEN + 1],
                           struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "requestId");
    bool zero = true, good = text && strlen(text) == UUID_LEN;
    ret[0] = '\0';
    if (!text || !*text)
        return 0;
    for (int i = 0; good && i < UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = dash ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0;
        zero = zero && (dash || text[i] == '0');
        ret[i] = (char)tolower((unsigned char)text[i]);
    }
    ret[UUID_LEN] = '\0';
    if (!good || zero)
        return emu_refuse_field(why, "requestId", text,
                                "Must be a valid UUID that is not all zeros.");
    return 0;
}

/* Take the operation's resource for the answer, and its name for the log. */
static void take_operation(struct emu_call *call, struct emu_operation *op, json_t **ret)
{
    snprintf(call->operation, sizeof(call->operation), "%s", op->name);
    *ret = json_incref(op->resource);
}

int emu_change_replay(struct emu_call *call, const char *type, json_t **ret,
                      struct emu_refusal *why)
{
    char id[UUID_LEN + 1];
    struct vmcp_error err = {0};
    auto_operation struct emu_operation op = {0};
    *ret = NULL;
    int rc = read_request_id(call, id, why);
    if (rc < 0 || !id[0])
        return rc;
    if (emu_operation_replay(call->cloud->store, call->zone, type, id, &op, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (op.id)
        take_operation(call, &op, ret);
    return 0;
}

static int begin_operation(struct emu_call *call, const char *type,
                           const struct emu_instance *instance, struct emu_operation *ret,
                           struct emu_refusal *why)
{
    char id[UUID_LEN + 1];
    struct vmcp_error err = {0};
    int rc = read_request_id(call, id, why);
    if (rc < 0)
        return rc;
    const struct emu_operation_spec spec = {
        .project = call->cloud->project,
        .zone = call->zone,
        .type = type,
        .target = json_string_value(json_object_get(instance->resource, "selfLink")),
        .user = call->email,
        .request_id = id[0] ? id : NULL,
        .target_id = instance->id,
    };
    if (emu_operation_begin(call->cloud->store, &spec, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

/* A transaction around `body`, whose failures are refusals. On success the operation is handed to
 * the worker and is the answer. */
static int transact(struct emu_call *call,
                    int (*body)(struct emu_call *call, void *arg, struct emu_operation *op,
                                json_t **ret, struct emu_refusal *why),
                    void *arg, json_t **ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    auto_operation struct emu_operation op = {0};
    if (emu_store_begin(call->cloud->store, &err) < 0)
        return emu_refuse_fault(why, &err);
    int rc = body(call, arg, &op, ret, why);
    if (emu_store_end(call->cloud->store, rc, &err) < 0 && rc == 0)
        return emu_refuse_fault(why, &err);
    if (rc < 0 || !op.id) /* refused, or a replay */
        return rc;
    take_operation(call, &op, ret);
    emu_worker_add(call->cloud->worker, op.id);
    return 0;
}

static int apply_change(struct emu_call *call, void *arg, struct emu_operation *op, json_t **ret,
                        struct emu_refusal *why)
{
    const struct emu_change *change = arg;
    struct vmcp_error err = {0};
    auto_instance struct emu_instance instance = {0};
    int rc = emu_change_replay(call, change->type, ret, why);
    if (rc < 0 || *ret)
        return rc;
    const char *name = call->req->segments[2];
    if (emu_instance_find(call->cloud->store, call->zone, name, &instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!instance.id)
        return emu_call_not_found(why, "projects/%s/zones/%s/instances/%.100s", call->project,
                                  call->zone, name);
    rc = change->apply ? change->apply(call, &instance, change->body, why) : 0;
    if (rc == 0)
        rc = begin_operation(call, change->type, &instance, op, why);
    if (rc < 0)
        return rc;
    if (emu_instance_save(call->cloud->store, &instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    emu_cloud_refresh(call->cloud, &instance);
    return 0;
}

int emu_change_run(struct emu_call *call, const struct emu_change *change, json_t **ret,
                   struct emu_refusal *why)
{
    struct emu_change copy = *change;
    return transact(call, apply_change, &copy, ret, why);
}

static int apply_insert(struct emu_call *call, void *arg, struct emu_operation *op, json_t **ret,
                        struct emu_refusal *why)
{
    struct emu_instance *instance = arg;
    struct vmcp_error err = {0};
    auto_instance struct emu_instance other = {0};
    int rc = emu_change_replay(call, "insert", ret, why); /* two at once: the first one counts */
    if (rc < 0 || *ret)
        return rc;
    if (emu_instance_find(call->cloud->store, call->zone, instance->name, &other, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (other.id)
        return emu_refuse(why, 409, "alreadyExists", "The resource '%s' already exists",
                          emu_instance_path(instance));
    const struct emu_insert_context context = {.store = call->cloud->store,
                                               .project = call->cloud->project,
                                               .zone = call->zone,
                                               .subnet = emu_room_subnet(call->cloud->room)};
    rc = emu_insert_place(&context, instance, why);
    if (rc == 0)
        rc = begin_operation(call, "insert", instance, op, why);
    if (rc < 0)
        return rc;
    if (emu_instance_insert(call->cloud->store, instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    emu_cloud_refresh(call->cloud, instance);
    return 0;
}

int emu_change_insert(struct emu_call *call, struct emu_instance *instance, json_t **ret,
                      struct emu_refusal *why)
{
    return transact(call, apply_insert, instance, ret, why);
}
