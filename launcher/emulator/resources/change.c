/* SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include <stdio.h>
#include <string.h>

#include "api/write.h"
#include "base/json_values.h"

static int apply(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    const struct emu_change *change = arg;
    struct emu_call *call = write->call;
    struct vmcp_error err = {0};
    auto_instance struct emu_instance instance = {0};
    if (emu_instance_find(call->cloud->store, call->zone, call->name, &instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!instance.id)
        return emu_call_nothing_here(call, why);
    int rc = change->apply ? change->apply(call, &instance, change->body, why) : 0;
    const struct emu_operation_spec spec = {
        .type = change->type,
        .target = emu_text_at(instance.resource, "selfLink"),
        .target_id = instance.id,
        .fault = call->stockout ? EMU_STOCKOUT : NULL,
    };
    if (rc == 0)
        rc = emu_write_begin(write, &spec, why);
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
    return emu_write_run(call, apply, &copy, ret, why);
}
