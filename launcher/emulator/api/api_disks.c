/* SPDX-License-Identifier: Apache-2.0 */
/* Disks by themselves: how they are made, when they may go, disks.resize, and diskTypes and
 * acceleratorTypes.get. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "collections.h"
#include "methods.h"
#include "resources/accelerators.h"
#include "resources/disk.h"
#include "resources/images.h"
#include "resources/insert.h"
#include "resources/quota.h"
#include "write.h"

int emu_disk_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    const json_t *asked = resource->body;
    json_auto_t *image = NULL;
    char type[64];
    const char *source = emu_text_at(asked, "sourceImage");
    if (!source)
        source = http_request_param(call->req, "sourceImage");
    if (emu_text_at(asked, "sourceSnapshot"))
        return emu_refuse(why, 404, "notFound", "The resource '%.200s' was not found",
                          emu_text_at(asked, "sourceSnapshot"));
    int rc =
        source ? emu_image_resolve(call->cloud, source, "resource.sourceImage", &image, why) : 0;
    if (rc == 0)
        rc = emu_disk_read_type(emu_text_at(asked, "type"), call->project, call->zone,
                                "resource.type", type, why);
    if (rc == 0)
        rc = emu_insert_labels(json_object_get(asked, "labels"), why);
    if (rc < 0)
        return rc;
    struct emu_disk_spec spec = {
        .project = call->project,
        .zone = call->zone,
        .name = resource->name,
        .type = type,
        .size_gb = emu_int64_at(asked, "sizeGb"),
        .image = image,
        .labels = json_object_get(asked, "labels"),
        .about = emu_text_at(asked, "description"),
    };
    rc = emu_disk_check_size(&spec, "resource.sizeGb", why);
    if (rc < 0)
        return rc;
    json_t *made = emu_disk_resource(&spec);
    if (!made)
        return emu_refuse(why, 500, "backendError", "No memory for a disk.");
    json_object_set(made, "id", json_object_get(asked, "id"));
    json_decref(resource->body);
    resource->body = made;
    return emu_quota_check_disk(call->cloud, call->zone, made, 0, why);
}

int emu_disk_check_delete(struct emu_call *call, struct emu_resource *resource,
                          struct emu_refusal *why)
{
    const char *user =
        json_string_value(json_array_get(json_object_get(resource->body, "users"), 0));
    (void)call;
    if (!user)
        return 0;
    return emu_refuse(why, 400, "resourceInUseByAnotherResource",
                      "The disk resource '%s' is already being used by '%s'",
                      emu_resource_path(resource), strstr(user, "projects/"));
}

static const struct emu_field resize_fields[] = {{"sizeGb", 'l', NULL}, {0}};

static int resize(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    auto_resource struct emu_resource disk = {0};
    struct vmcp_error err = {0};
    char text[24];
    int64_t size = emu_int64_at(arg, "sizeGb");
    int rc = emu_resource_named(call, "disks", &disk, why);
    if (rc < 0)
        return rc;
    int64_t now = emu_int64_at(disk.body, "sizeGb");
    snprintf(text, sizeof(text), "%" PRId64, size);
    if (size <= now || size > EMU_DISK_GB_MAX)
        return emu_refuse_field(why, "sizeGb", text,
                                "New disk size must be larger than the existing disk size (%" PRId64
                                " GB) and at most %d GB.",
                                now, EMU_DISK_GB_MAX);
    rc = emu_quota_check_disk(call->cloud, call->zone, disk.body, size - now, why);
    if (rc < 0)
        return rc;
    json_object_set_new(disk.body, "sizeGb", json_string(text));
    if (emu_resource_save(call->cloud->store, &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_write_begin(write,
                           &(struct emu_operation_spec){.type = "resizeDisk",
                                                        .target = emu_resource_link(&disk),
                                                        .target_id = disk.id},
                           why);
}

int emu_disks_resize(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, resize_fields, &body, why);
    if (rc == 0 && !json_object_get(body, "sizeGb"))
        rc = emu_refuse(why, 400, "required", "Required field 'sizeGb' not specified");
    return rc < 0 ? rc : emu_write_run(call, resize, body, ret, why);
}

int emu_disk_types_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    if (!emu_disk_type_exists(call->name))
        return emu_call_nothing_here(call, why);
    *ret = emu_disk_type_resource(call->name, call->project, call->zone);
    return 0;
}

int emu_accelerator_types_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    *ret = emu_accelerator_resource(call->name, call->project, call->zone);
    return *ret ? 0 : emu_call_nothing_here(call, why);
}
