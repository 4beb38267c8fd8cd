/* SPDX-License-Identifier: Apache-2.0 */
/* instances.attachDisk, detachDisk, setDiskAutoDelete, setScheduling, setServiceAccount. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json_values.h"
#include "methods.h"
#include "resources/change.h"
#include "resources/disk.h"
#include "resources/insert.h"
#include "schema.h"

enum { DISKS_MAX = 128 };

/* The index of the disk entry with the deviceName of the query. */
static int find_device(const struct emu_call *call, const struct emu_instance *instance,
                       size_t *ret, struct emu_refusal *why)
{
    const char *device = http_request_param(call->req, "deviceName");
    json_t *disks = json_object_get(instance->resource, "disks"), *disk = NULL;
    size_t i = 0;
    if (!device || !*device)
        return emu_refuse(why, 400, "required", "Required parameter: deviceName");
    json_array_foreach(disks, i, disk)
    {
        if (strcmp(emu_text_at(disk, "deviceName"), device) != 0)
            continue;
        *ret = i;
        return 0;
    }
    return emu_refuse_field(why, "deviceName", device, "No attached disk has this device name.");
}

/* The numbers of the disks, which have no gap. */
static void number_disks(json_t *disks)
{
    size_t i = 0;
    json_t *disk = NULL;
    json_array_foreach(disks, i, disk)
    {
        json_object_set_new(disk, "index", json_integer((json_int_t)i));
    }
}

static int apply_attach(const struct emu_call *call, struct emu_instance *instance,
                        const json_t *body, struct emu_refusal *why)
{
    const struct emu_insert_context context =
        emu_insert_context_of(call->cloud, call->zone, call->email);
    json_t *disks = json_object_get(instance->resource, "disks");
    json_auto_t *made = NULL;
    const char *source = emu_text_at(body, "source");
    if (!source)
        return emu_refuse(why, 400, "required", "Required field 'resource.source' not specified");
    if (json_array_size(disks) >= DISKS_MAX)
        return emu_refuse_field(why, "resource", "", "At most %d disks can be attached.",
                                DISKS_MAX);
    int rc = emu_insert_attach(&context, instance, body, json_array_size(disks), &made, why);
    if (rc == 0)
        json_array_append(disks, made);
    return rc;
}

static int apply_detach(const struct emu_call *call, struct emu_instance *instance,
                        const json_t *body, struct emu_refusal *why)
{
    json_t *disks = json_object_get(instance->resource, "disks");
    auto_resource struct emu_resource disk = {0};
    struct vmcp_error err = {0};
    size_t index = 0;
    (void)body;
    int rc = find_device(call, instance, &index, why);
    if (rc < 0)
        return rc;
    if (index == 0 && strcmp(emu_instance_status(instance), "TERMINATED") != 0)
        return emu_refuse(why, 400, "resourceInUseByAnotherResource",
                          "The boot disk of '%s' cannot be detached while it runs.",
                          emu_instance_path(instance));
    if (emu_disk_of(call->cloud->store, json_array_get(disks, index), &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    emu_disk_drop_user(&disk, emu_text_at(instance->resource, "selfLink"));
    if (disk.id && emu_resource_save(call->cloud->store, &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    json_array_remove(disks, index);
    number_disks(disks);
    return 0;
}

static int apply_auto_delete(const struct emu_call *call, struct emu_instance *instance,
                             const json_t *body, struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "autoDelete");
    size_t index = 0;
    (void)body;
    if (!text || (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0))
        return emu_refuse_field(why, "autoDelete", text ? text : "", "Must be true or false.");
    int rc = find_device(call, instance, &index, why);
    if (rc == 0)
        json_object_set_new(json_array_get(json_object_get(instance->resource, "disks"), index),
                            "autoDelete", json_boolean(strcasecmp(text, "true") == 0));
    return rc;
}

static int apply_scheduling(const struct emu_call *call, struct emu_instance *instance,
                            const json_t *body, struct emu_refusal *why)
{
    json_auto_t *whole = json_deep_copy(json_object_get(instance->resource, "scheduling"));
    json_t *made = NULL;
    (void)call;
    json_auto_t *given = json_deep_copy(body);
    json_object_update(whole, given);
    int rc = emu_insert_scheduling(whole, &made, why);
    if (rc == 0)
        json_object_set_new(instance->resource, "scheduling", made);
    return rc;
}

static int apply_account(const struct emu_call *call, struct emu_instance *instance,
                         const json_t *body, struct emu_refusal *why)
{
    const struct emu_insert_context context =
        emu_insert_context_of(call->cloud, call->zone, call->email);
    json_auto_t *accounts = json_array();
    json_t *made = NULL;
    const char *email = emu_text_at(body, "email");
    if (strcmp(emu_instance_status(instance), "TERMINATED") != 0)
        return emu_refuse(why, 400, "resourceNotReady",
                          "The resource '%s' is not ready: stop it before you change its service "
                          "account.",
                          emu_instance_path(instance));
    if (email && *email)
        json_array_append_new(accounts, json_deep_copy(body));
    int rc = emu_insert_account(&context, accounts, &made, why);
    if (rc < 0)
        return rc;
    if (made)
        json_object_set_new(instance->resource, "serviceAccounts", made);
    else
        json_object_del(instance->resource, "serviceAccounts");
    return 0;
}

static int update(struct emu_call *call, const struct emu_field *fields, struct emu_change change,
                  json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = fields ? emu_schema_read(call->req, fields, &body, why) : 0;
    change.body = body;
    return rc < 0 ? rc : emu_change_run(call, &change, ret, why);
}

int emu_instances_attach_disk(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "attachDisk", .apply = apply_attach};
    return update(call, emu_attached_disk_fields, change, ret, why);
}

int emu_instances_detach_disk(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "detachDisk", .apply = apply_detach};
    return update(call, NULL, change, ret, why);
}

int emu_instances_set_auto_delete(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setDiskAutoDelete", .apply = apply_auto_delete};
    return update(call, NULL, change, ret, why);
}

/* The body is the Scheduling itself. */
int emu_instances_set_scheduling(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setScheduling", .apply = apply_scheduling};
    return update(call, emu_scheduling_fields, change, ret, why);
}

int emu_instances_set_account(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setServiceAccount", .apply = apply_account};
    return update(call, emu_account_fields, change, ret, why);
}
