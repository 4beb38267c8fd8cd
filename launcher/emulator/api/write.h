/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - calls that change the state: one transaction, and the operations that it begins.
 *
 * A request id that the method has seen before answers the operation that it made then and does
 * nothing else. What the body refuses changes nothing.
 *
 *     static int body(struct emu_write *write, void *arg, struct emu_refusal *why)
 *     {
 *         … change the state …
 *         return emu_write_begin(write, &(struct emu_operation_spec){.type = "insert", …}, why);
 *     }
 *     return emu_write_run(call, body, arg, ret, why);
 */
#ifndef EMU_WRITE_H
#define EMU_WRITE_H

#include "call.h"
#include "resources/operation.h"

enum { EMU_UUID_LEN = 36 };

struct emu_write {
    struct emu_call *call;
    char request_id[EMU_UUID_LEN + 1]; /* "": none */
    struct emu_operation first;        /* the answer */
    uint64_t *begun;                   /* operations for the worker, in their order */
    size_t count;
};

typedef int emu_write_fn(struct emu_write *write, void *arg, struct emu_refusal *why);

/* Run `body` in a transaction; *ret is the first operation that it began. */
VMCP_MUST_CHECK int emu_write_run(struct emu_call *call, emu_write_fn *body, void *arg,
                                  json_t **ret, struct emu_refusal *why);

/* The operation that the request's requestId made before, in *ret; NULL if there is none. Also
 * checks the requestId. For what is to be known before the body of a request is looked at. */
VMCP_MUST_CHECK int emu_write_replay(struct emu_call *call, json_t **ret, struct emu_refusal *why);

/* Begin an operation. Of *spec, project, user, request id and method are the call's; scope and
 * collection are too where they are NULL. */
VMCP_MUST_CHECK int emu_write_begin(struct emu_write *write, const struct emu_operation_spec *spec,
                                    struct emu_refusal *why);

#endif
