/* SPDX-License-Identifier: Apache-2.0 */
/* instances.delete, start, stop, reset, suspend, resume. */
#include <string.h>

#include "methods.h"
#include "resources/change.h"
#include "resources/quota.h"

static bool has_status(const struct emu_instance *instance, const char *status)
{
    return strcmp(emu_instance_status(instance), status) == 0;
}

static int not_ready(const struct emu_instance *instance, struct emu_refusal *why)
{
    return emu_refuse(why, 400, "resourceNotReady", "The resource '%s' is not ready",
                      emu_instance_path(instance));
}

static int apply_delete(const struct emu_call *call, struct emu_instance *instance,
                        const json_t *body, struct emu_refusal *why)
{
    (void)call;
    (void)body;
    if (json_is_true(json_object_get(instance->resource, "deletionProtection")))
        return emu_refuse(why, 400, "invalidResourceUsage",
                          "Invalid resource usage: 'Resource cannot be deleted if it's protected "
                          "against deletion. Resource: %s'.",
                          emu_instance_path(instance));
    emu_instance_set_status(instance, "STOPPING");
    return 0;
}

/* Starting what runs, and stopping what is stopped, are operations that do nothing. */
static int apply_start(const struct emu_call *call, struct emu_instance *instance,
                       const json_t *body, struct emu_refusal *why)
{
    (void)body;
    if (has_status(instance, "STOPPING") || has_status(instance, "SUSPENDING") ||
        has_status(instance, "SUSPENDED"))
        return not_ready(instance, why);
    if (!has_status(instance, "TERMINATED"))
        return 0;
    emu_instance_set_status(instance, "PROVISIONING");
    return emu_quota_check_start(call->cloud, instance, why);
}

/* What was in memory is lost: a guest that is resumed has booted. */
static int apply_suspend(const struct emu_call *call, struct emu_instance *instance,
                         const json_t *body, struct emu_refusal *why)
{
    (void)call;
    (void)body;
    if (!has_status(instance, "RUNNING"))
        return not_ready(instance, why);
    emu_instance_set_status(instance, "SUSPENDING");
    return 0;
}

static int apply_resume(const struct emu_call *call, struct emu_instance *instance,
                        const json_t *body, struct emu_refusal *why)
{
    (void)body;
    if (!has_status(instance, "SUSPENDED"))
        return not_ready(instance, why);
    emu_instance_set_status(instance, "PROVISIONING");
    return emu_quota_check_start(call->cloud, instance, why);
}

static int apply_stop(const struct emu_call *call, struct emu_instance *instance,
                      const json_t *body, struct emu_refusal *why)
{
    (void)call;
    (void)body;
    if (has_status(instance, "PROVISIONING") || has_status(instance, "STAGING"))
        return not_ready(instance, why);
    if (has_status(instance, "RUNNING") || has_status(instance, "SUSPENDED"))
        emu_instance_set_status(instance, "STOPPING");
    return 0;
}

static int apply_reset(const struct emu_call *call, struct emu_instance *instance,
                       const json_t *body, struct emu_refusal *why)
{
    (void)call;
    (void)body;
    return has_status(instance, "RUNNING") ? 0 : not_ready(instance, why);
}

int emu_instances_delete(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "delete", .apply = apply_delete};
    return emu_change_run(call, &change, ret, why);
}

int emu_instances_start(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "start", .apply = apply_start};
    return emu_change_run(call, &change, ret, why);
}

int emu_instances_stop(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "stop", .apply = apply_stop};
    return emu_change_run(call, &change, ret, why);
}

int emu_instances_reset(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "reset", .apply = apply_reset};
    return emu_change_run(call, &change, ret, why);
}

int emu_instances_suspend(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "suspend", .apply = apply_suspend};
    return emu_change_run(call, &change, ret, why);
}

int emu_instances_resume(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "resume", .apply = apply_resume};
    return emu_change_run(call, &change, ret, why);
}
