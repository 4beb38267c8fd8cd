/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "insert.h"
#include "ref.h"

enum { DISKS_MAX = 128, GB_MAX = 65536, GB_BLANK = 500, FIELD_MAX = 96 };

/* The disk that is being planned. */
struct plan {
    const struct emu_insert_context *context;
    const char *instance;
    size_t index;
    const struct emu_image *image; /* NULL: none */
    int64_t size_gb;
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *field(const struct plan *plan, const char *member, char name[static FIELD_MAX])
{
    snprintf(name, FIELD_MAX, "resource.disks[%zu]%s", plan->index, member);
    return name;
}

static int find_image(struct plan *plan, const char *text, struct emu_refusal *why)
{
    char name[FIELD_MAX];
    struct emu_ref ref;
    if (!emu_ref_parse_as(text, "images", &ref))
        return emu_refuse_field(why, field(plan, ".initializeParams.sourceImage", name), text,
                                "The URL is malformed.");
    const char *project = ref.project[0] ? ref.project : plan->context->project;
    plan->image =
        ref.family ? emu_image_of_family(project, ref.name) : emu_image_find(project, ref.name);
    if (!plan->image)
        return emu_refuse(why, 404, "notFound",
                          "The resource 'projects/%s/global/images/%s%s' was not found", project,
                          ref.family ? "family/" : "", ref.name);
    return 0;
}

/* An int64 of the API: a decimal string, or a number. */
static int64_t int64_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text ? strtoll(text, NULL, 10) : json_integer_value(value);
}

static int check_size(struct plan *plan, const json_t *size, struct emu_refusal *why)
{
    char name[FIELD_MAX];
    int64_t least = plan->image ? plan->image->disk_gb : 0;
    plan->size_gb = plan->image ? least : GB_BLANK;
    if (!size)
        return 0;
    plan->size_gb = int64_of(size);
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, plan->size_gb);
    if (plan->size_gb < least)
        return emu_refuse_field(why, field(plan, ".initializeParams.diskSizeGb", name), text,
                                "Requested disk size cannot be smaller than the image size (%d GB)",
                                (int)least);
    if (plan->size_gb < 1 || plan->size_gb > GB_MAX)
        return emu_refuse_field(why, field(plan, ".initializeParams.diskSizeGb", name), text,
                                "Disk size must be between 10 GB and %d GB.", GB_MAX);
    return 0;
}

static int check_type(const struct plan *plan, const char *text, struct emu_refusal *why)
{
    static const char *const types[] = {
        "pd-standard",          "pd-balanced",        "pd-ssd",
        "pd-extreme",           "hyperdisk-balanced", "hyperdisk-extreme",
        "hyperdisk-throughput", "local-ssd",
    };
    char name[FIELD_MAX];
    struct emu_ref ref;
    if (!text)
        return 0;
    if (!emu_ref_parse_as(text, "diskTypes", &ref))
        return emu_refuse_field(why, field(plan, ".initializeParams.diskType", name), text,
                                "The URL is malformed.");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], ref.name) == 0)
            return 0;
    return emu_refuse(why, 404, "notFound",
                      "The resource 'projects/%s/zones/%s/diskTypes/%s' was not found",
                      plan->context->project, plan->context->zone, ref.name);
}

static int check_params(struct plan *plan, const json_t *disk, bool boot, struct emu_refusal *why)
{
    char name[FIELD_MAX];
    const json_t *params = json_object_get(disk, "initializeParams");
    const char *source = text_of(disk, "source"), *image = text_of(params, "sourceImage");
    const char *snapshot = text_of(params, "sourceSnapshot");
    if (source && params)
        return emu_refuse_field(why, field(plan, "", name), source,
                                "Cannot specify both 'source' and 'initializeParams'.");
    if (source || snapshot) /* there are no disks and snapshots but those of instances */
        return emu_refuse(why, 404, "notFound", "The resource '%.200s' was not found",
                          source ? source : snapshot);
    if (boot && !image)
        return emu_refuse_field(why, field(plan, ".initializeParams.sourceImage", name), "",
                                "The boot disk needs a source image.");
    int rc = image ? find_image(plan, image, why) : 0;
    const json_t *size = json_object_get(params, "diskSizeGb");
    if (rc == 0)
        rc = check_size(plan, size ? size : json_object_get(disk, "diskSizeGb"), why);
    return rc < 0 ? rc : check_type(plan, text_of(params, "diskType"), why);
}

static const char *or_else(const char *text, const char *other)
{
    return text && *text ? text : other;
}

static json_t *make_disk(const struct plan *plan, const json_t *disk, bool boot)
{
    const json_t *params = json_object_get(disk, "initializeParams");
    char device[64], disk_name[80];
    snprintf(device, sizeof(device), "persistent-disk-%zu", plan->index);
    snprintf(disk_name, sizeof(disk_name), plan->index == 0 ? "%s" : "%s-%zu", plan->instance,
             plan->index);
    json_t *made = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:i, s:b, s:b, s:s, s:o}", "kind", "compute#attachedDisk",
        "type", or_else(text_of(disk, "type"), "PERSISTENT"), "mode",
        or_else(text_of(disk, "mode"), "READ_WRITE"), "source",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/disks/%s", plan->context->project,
                     plan->context->zone, or_else(text_of(params, "diskName"), disk_name)),
        "deviceName", or_else(text_of(disk, "deviceName"), device), "index", (int)plan->index,
        "boot", (int)boot, "autoDelete", (int)json_is_true(json_object_get(disk, "autoDelete")),
        "interface", or_else(text_of(disk, "interface"), "SCSI"), "diskSizeGb",
        json_sprintf("%" PRId64, plan->size_gb));
    if (made && plan->image) {
        json_object_set_new(made, "licenses", emu_image_licenses(plan->image));
        json_object_set_new(made, "guestOsFeatures", emu_image_features(plan->image));
        json_object_set_new(made, "architecture", json_string(plan->image->architecture));
    }
    return made;
}

int emu_insert_disks(const struct emu_insert_context *context, const char *name,
                     const json_t *disks, char *ret_image, size_t image_size, json_t **ret,
                     struct emu_refusal *why)
{
    json_auto_t *made = json_array();
    size_t i = 0;
    json_t *disk = NULL;
    if (json_array_size(disks) == 0 ||
        !json_is_true(json_object_get(json_array_get(disks, 0), "boot")))
        return emu_refuse_field(why, "resource.disks", "", "The first disk must be the boot disk.");
    if (json_array_size(disks) > DISKS_MAX)
        return emu_refuse_field(why, "resource.disks", "", "At most %d disks can be attached.",
                                DISKS_MAX);
    json_array_foreach(disks, i, disk)
    {
        struct plan plan = {.context = context, .instance = name, .index = i};
        int rc = check_params(&plan, disk, i == 0, why);
        if (rc < 0)
            return rc;
        json_array_append_new(made, make_disk(&plan, disk, i == 0));
        if (i == 0)
            snprintf(ret_image, image_size, "projects/%s/global/images/%s", plan.image->project,
                     plan.image->name);
    }
    *ret = steal(&made);
    return 0;
}
