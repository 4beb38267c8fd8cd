/* SPDX-License-Identifier: Apache-2.0 */
/* instances.delete, start, stop, reset. */
#include <string.h>

#include "api.h"
#include "call.h"
#include "change.h"

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
    (void)call;
    (void)body;
    if (has_status(instance, "STOPPING"))
        return not_ready(instance, why);
    if (has_status(instance, "TERMINATED"))
        emu_instance_set_status(instance, "PROVISIONING");
    return 0;
}

static int apply_stop(const struct emu_call *call, struct emu_instance *instance,
                      const json_t *body, struct emu_refusal *why)
{
    (void)call;
    (void)body;
    if (has_status(instance, "PROVISIONING") || has_status(instance, "STAGING"))
        return not_ready(instance, why);
    if (has_status(instance, "RUNNING"))
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

static int delete_instance(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "delete", .apply = apply_delete};
    return emu_change_run(call, &change, ret, why);
}

static int start(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "start", .apply = apply_start};
    return emu_change_run(call, &change, ret, why);
}

static int stop(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "stop", .apply = apply_stop};
    return emu_change_run(call, &change, ret, why);
}

static int reset(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "reset", .apply = apply_reset};
    return emu_change_run(call, &change, ret, why);
}

void emu_api_delete_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.access = EMU_CHANGES,
                                      .permission = "compute.instances.delete",
                                      .zonal = true,
                                      .run = delete_instance});
}

void emu_api_start_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.access = EMU_CHANGES,
                                      .permission = "compute.instances.start",
                                      .zonal = true,
                                      .run = start});
}

void emu_api_stop_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.access = EMU_CHANGES,
                                      .permission = "compute.instances.stop",
                                      .zonal = true,
                                      .run = stop});
}

void emu_api_reset_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.access = EMU_CHANGES,
                                      .permission = "compute.instances.reset",
                                      .zonal = true,
                                      .run = reset});
}
