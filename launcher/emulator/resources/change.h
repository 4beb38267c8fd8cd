/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - calls that change an instance: one transaction, one operation.
 *
 * A change is given the instance as it is and makes it as it is to be; what it refuses changes
 * nothing. A request id that was seen before answers the operation that it made then.
 */
#ifndef EMU_CHANGE_H
#define EMU_CHANGE_H

#include "api/call.h"
#include "instance.h"

struct emu_change {
    const char *type; /* the operation's: "stop", "setMetadata" */
    /* Change the instance in place, within the transaction. NULL: it stays as it is. */
    int (*apply)(const struct emu_call *call, struct emu_instance *instance, const json_t *body,
                 struct emu_refusal *why);
    const json_t *body; /* borrowed */
};

/* Change the instance that the path names; *ret is the operation. */
VMCP_MUST_CHECK int emu_change_run(struct emu_call *call, const struct emu_change *change,
                                   json_t **ret, struct emu_refusal *why);

#endif
