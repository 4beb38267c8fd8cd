/* SPDX-License-Identifier: Apache-2.0 */
/* zoneOperations.get, list, wait. */
#include <string.h>

#include "api.h"
#include "call.h"
#include "http/clock.h"
#include "list.h"
#include "operation.h"

enum { WAIT_MAX_MS = 120 * 1000 };

static int find(struct emu_call *call, struct emu_operation *ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    const char *name = call->req->segments[2];
    if (emu_operation_find(call->cloud->store, call->zone, name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!ret->id)
        return emu_call_not_found(why, "projects/%s/zones/%s/operations/%.100s", call->project,
                                  call->zone, name);
    return 0;
}

static int get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_operation struct emu_operation op = {0};
    int rc = find(call, &op, why);
    if (rc == 0)
        *ret = json_incref(op.resource);
    return rc;
}

/* Answers when the operation is DONE, or after two minutes with whatever it is by then. */
static int wait_done(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_operation struct emu_operation op = {0};
    int rc = find(call, &op, why);
    if (rc < 0)
        return rc;
    if (!emu_operation_is(&op, "DONE") && !call->req->timed_out)
        call->wait_until = http_now_ms() + WAIT_MAX_MS;
    *ret = json_incref(op.resource);
    return 0;
}

static int collect(void *arg, struct emu_operation *operation)
{
    json_array_append(arg, operation->resource);
    return 0;
}

static int list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    struct vmcp_error err = {0};
    if (emu_operation_each(call->cloud->store, call->zone, collect, items, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_list_answer(call, "compute#operationList", items, ret, why);
}

void emu_api_get_operation(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){
                     .permission = "compute.zoneOperations.get", .zonal = true, .run = get});
}

void emu_api_wait_operation(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){
                     .permission = "compute.zoneOperations.get", .zonal = true, .run = wait_done});
}

void emu_api_list_operations(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){
                     .permission = "compute.zoneOperations.list", .zonal = true, .run = list});
}
