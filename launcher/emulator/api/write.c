/* SPDX-License-Identifier: Apache-2.0 */
#include "write.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resources/worker.h"

/* The request id in lower case; "" if there is none. Any UUID but zero will do. */
static int read_request_id(const struct emu_call *call, char ret[static EMU_UUID_LEN + 1],
                           struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "requestId");
    bool zero = true, good = text && strlen(text) == EMU_UUID_LEN;
    ret[0] = '\0';
    if (!text || !*text)
        return 0;
    for (int i = 0; good && i < EMU_UUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = dash ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0;
        zero = zero && (dash || text[i] == '0');
        ret[i] = (char)tolower((unsigned char)text[i]);
    }
    ret[EMU_UUID_LEN] = '\0';
    if (!good || zero)
        return emu_refuse_field(why, "requestId", text,
                                "Must be a valid UUID that is not all zeros.");
    return 0;
}

/* Take the operation's resource for the answer, and its name for the log. */
static void take_operation(struct emu_call *call, const struct emu_operation *op, json_t **ret)
{
    snprintf(call->operation, sizeof(call->operation), "%s", op->name);
    *ret = json_incref(op->resource);
}

static int replay(struct emu_call *call, const char *request_id, json_t **ret,
                  struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    auto_operation struct emu_operation op = {0};
    *ret = NULL;
    if (!*request_id)
        return 0;
    if (emu_operation_replay(call->cloud->store, call->scope, call->method->id, request_id, &op,
                             &err) < 0)
        return emu_refuse_fault(why, &err);
    if (op.id)
        take_operation(call, &op, ret);
    return 0;
}

int emu_write_replay(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    char id[EMU_UUID_LEN + 1];
    *ret = NULL;
    int rc = read_request_id(call, id, why);
    return rc < 0 ? rc : replay(call, id, ret, why);
}

int emu_write_begin(struct emu_write *write, const struct emu_operation_spec *spec,
                    struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    struct emu_operation_spec whole = *spec;
    auto_operation struct emu_operation op = {0};
    struct vmcp_error err = {0};
    bool first = write->count == 0;
    whole.project = call->cloud->project;
    whole.user = call->email;
    whole.method = first ? call->method->id : "instances.insert";
    whole.request_id = first && write->request_id[0] ? write->request_id : NULL;
    whole.scope = spec->scope ? spec->scope : call->scope;
    whole.collection = spec->collection ? spec->collection : call->collection;
    if (emu_operation_begin(call->cloud->store, &whole, &op, &err) < 0)
        return emu_refuse_fault(why, &err);
    uint64_t *grown = realloc(write->begun, (write->count + 1) * sizeof(*grown));
    if (!grown)
        return emu_refuse(why, 500, "backendError", "No memory for an operation.");
    write->begun = grown;
    write->begun[write->count++] = op.id;
    if (first) {
        write->first = op;
        op = (struct emu_operation){0};
    }
    return 0;
}

static void clear(struct emu_write *write)
{
    emu_operation_clear(&write->first);
    free(write->begun);
}

/* Within the transaction. Two requests with one id at once: the first one counts. */
static int run(struct emu_write *write, emu_write_fn *body, void *arg, json_t **ret,
               struct emu_refusal *why)
{
    int rc = replay(write->call, write->request_id, ret, why);
    return rc < 0 || *ret ? rc : body(write, arg, why);
}

int emu_write_run(struct emu_call *call, emu_write_fn *body, void *arg, json_t **ret,
                  struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    VMCP_AUTO(clear) struct emu_write write = {.call = call};
    int rc = read_request_id(call, write.request_id, why);
    if (rc < 0)
        return rc;
    if (emu_store_begin(call->cloud->store, &err) < 0)
        return emu_refuse_fault(why, &err);
    rc = run(&write, body, arg, ret, why);
    if (emu_store_end(call->cloud->store, rc, &err) < 0 && rc == 0)
        return emu_refuse_fault(why, &err);
    if (rc < 0 || *ret) /* refused, or a replay */
        return rc;
    take_operation(call, &write.first, ret);
    for (size_t i = 0; i < write.count; i++)
        emu_worker_add(call->cloud->worker, write.begun[i]);
    return 0;
}
