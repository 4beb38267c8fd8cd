/* SPDX-License-Identifier: Apache-2.0 */
/* zoneOperations, regionOperations and globalOperations: get, wait, delete. */
#include "http/clock.h"
#include "methods.h"
#include "resources/operation.h"

enum { WAIT_MAX_MS = 120 * 1000 };

static int find(struct emu_call *call, struct emu_operation *ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    if (emu_operation_find(call->cloud->store, call->scope, call->name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return ret->id ? 0 : emu_call_nothing_here(call, why);
}

int emu_operations_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_operation struct emu_operation op = {0};
    int rc = find(call, &op, why);
    if (rc == 0)
        *ret = json_incref(op.resource);
    return rc;
}

/* Answers when the operation is DONE, or after two minutes with whatever it is by then. */
int emu_operations_wait(struct emu_call *call, json_t **ret, struct emu_refusal *why)
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

/* Only what is over can be forgotten: the rest is still to be done. */
int emu_operations_delete(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_operation struct emu_operation op = {0};
    struct vmcp_error err = {0};
    int rc = find(call, &op, why);
    (void)ret;
    if (rc < 0)
        return rc;
    if (!emu_operation_is(&op, "DONE"))
        return emu_refuse(why, 400, "resourceNotReady", "The operation '%s' is not done yet.",
                          op.name);
    if (emu_operation_delete(call->cloud->store, op.id, &err) < 0)
        return emu_refuse_fault(why, &err);
    call->no_content = true;
    return 0;
}
