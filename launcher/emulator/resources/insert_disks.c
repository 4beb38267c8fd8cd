/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "disk.h"
#include "images.h"
#include "insert.h"

enum { DISKS_MAX = 128, FIELD_MAX = 96 };

/* The disk that is being planned. */
struct plan {
    const struct emu_insert_context *context;
    struct emu_instance *instance;
    const json_t *asked; /* an item of `disks` */
    size_t index;
    struct emu_disk_spec spec;
    char name[EMU_RESOURCE_NAME_MAX + 1], type[64];
    json_t *image;                /* owned; NULL: none */
    struct emu_resource existing; /* the disk that `source` names */
};

static void clear(struct plan *plan)
{
    json_decref(plan->image);
    emu_resource_clear(&plan->existing);
}

static const char *field(const struct plan *plan, const char *member, char name[static FIELD_MAX])
{
    snprintf(name, FIELD_MAX, "resource.disks[%zu]%s", plan->index, member);
    return name;
}

static int find_image(struct plan *plan, const char *text, struct emu_refusal *why)
{
    char name[FIELD_MAX];
    return emu_image_resolve(plan->context->cloud, text,
                             field(plan, ".initializeParams.sourceImage", name), &plan->image, why);
}

/* Its own name, or the instance's with a number behind it. */
static void choose_name(struct plan *plan, const char *asked, const char *instance)
{
    if (asked && *asked)
        snprintf(plan->name, sizeof(plan->name), "%s", asked);
    else if (plan->index == 0)
        snprintf(plan->name, sizeof(plan->name), "%s", instance);
    else
        snprintf(plan->name, sizeof(plan->name), "%.58s-%d", instance, (int)plan->index % 1000);
}

static int plan_new(struct plan *plan, const char *instance, struct emu_refusal *why)
{
    char name[FIELD_MAX];
    const json_t *params = json_object_get(plan->asked, "initializeParams");
    const char *image = emu_text_at(params, "sourceImage");
    const char *snapshot = emu_text_at(params, "sourceSnapshot");
    if (snapshot) /* there are no snapshots here */
        return emu_refuse(why, 404, "notFound", "The resource '%.200s' was not found", snapshot);
    if (plan->index == 0 && !image)
        return emu_refuse_field(why, field(plan, ".initializeParams.sourceImage", name), "",
                                "The boot disk needs a source image.");
    int rc = image ? find_image(plan, image, why) : 0;
    if (rc == 0)
        rc = emu_disk_read_type(emu_text_at(params, "diskType"), plan->context->project,
                                plan->context->zone,
                                field(plan, ".initializeParams.diskType", name), plan->type, why);
    if (rc < 0)
        return rc;
    const char *disk_name = emu_text_at(params, "diskName");
    if (disk_name && *disk_name)
        rc = emu_insert_check_name(field(plan, ".initializeParams.diskName", name), disk_name, why);
    choose_name(plan, disk_name, instance);
    bool given = json_object_get(params, "diskSizeGb") != NULL;
    plan->spec = (struct emu_disk_spec){
        .project = plan->context->project,
        .zone = plan->context->zone,
        .name = plan->name,
        .type = plan->type,
        .size_gb =
            given ? emu_int64_at(params, "diskSizeGb") : emu_int64_at(plan->asked, "diskSizeGb"),
        .image = plan->image,
        .labels = json_object_get(params, "labels"),
        .about = emu_text_at(params, "description"),
    };
    if (rc == 0 && given && plan->spec.size_gb == 0)
        plan->spec.size_gb = -1; /* asked for, and too small */
    return rc < 0 ? rc
                  : emu_disk_check_size(&plan->spec,
                                        field(plan, ".initializeParams.diskSizeGb", name), why);
}

/* A disk that is there: its image and size are known. */
static int plan_existing(struct plan *plan, const char *source, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    struct emu_ref ref;
    char name[FIELD_MAX];
    if (!emu_ref_parse_as(source, "disks", &ref))
        return emu_refuse_field(why, field(plan, ".source", name), source, "The URL is malformed.");
    snprintf(ref.scope, sizeof(ref.scope), "zones/%s", plan->context->zone);
    if (emu_resource_find(plan->context->store, "disks", ref.scope, ref.name, &plan->existing,
                          &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!plan->existing.id)
        return emu_refuse(why, 404, "notFound",
                          "The resource 'projects/%s/zones/%s/disks/%s' was not found",
                          plan->context->project, plan->context->zone, ref.name);
    const json_t *body = plan->existing.body;
    plan->spec.size_gb = emu_int64_at(body, "sizeGb");
    snprintf(plan->name, sizeof(plan->name), "%s", plan->existing.name);
    const char *image = emu_text_at(body, "sourceImage");
    if (plan->index == 0 && !image)
        return emu_refuse_field(why, field(plan, ".source", name), source,
                                "The disk holds no operating system.");
    return 0;
}

static const char *or_else(const char *text, const char *other)
{
    return text && *text ? text : other;
}

static json_t *attach(const struct plan *plan, bool scratch)
{
    static const char *const inherited[] = {"licenses", "guestOsFeatures", "architecture"};
    const json_t *asked = plan->asked;
    char device[64];
    snprintf(device, sizeof(device), scratch ? "local-ssd-%zu" : "persistent-disk-%zu",
             plan->index);
    json_t *made = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:s, s:o}", "kind", "compute#attachedDisk", "type",
        or_else(emu_text_at(asked, "type"), "PERSISTENT"), "mode",
        or_else(emu_text_at(asked, "mode"), "READ_WRITE"), "deviceName",
        or_else(emu_text_at(asked, "deviceName"), device), "index", (int)plan->index, "boot",
        (int)(plan->index == 0), "autoDelete", (int)(scratch || emu_true_at(asked, "autoDelete")),
        "interface", or_else(emu_text_at(asked, "interface"), "SCSI"), "diskSizeGb",
        json_sprintf("%" PRId64, plan->spec.size_gb));
    if (!made || scratch)
        return made;
    json_object_set_new(made, "source",
                        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/disks/%s",
                                     plan->context->project, plan->context->zone, plan->name));
    const json_t *from = plan->image ? plan->image : plan->existing.body;
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        json_object_set(made, inherited[i], json_object_get(from, inherited[i]));
    return made;
}

static int plan_disk(struct plan *plan, const char *instance, json_t *attached,
                     struct emu_refusal *why)
{
    char name[FIELD_MAX];
    const char *source = emu_text_at(plan->asked, "source");
    const char *type = emu_text_at(plan->asked, "type");
    bool scratch = type && strcmp(type, "SCRATCH") == 0;
    if (source && json_object_get(plan->asked, "initializeParams"))
        return emu_refuse_field(why, field(plan, "", name), source,
                                "Cannot specify both 'source' and 'initializeParams'.");
    int rc = source ? plan_existing(plan, source, why) : plan_new(plan, instance, why);
    if (rc < 0)
        return rc;
    if (scratch)
        plan->spec.size_gb = 375; /* a local SSD has one size */
    if (!source && !scratch)
        json_array_append_new(plan->instance->new_disks, emu_disk_resource(&plan->spec));
    json_array_append_new(attached, attach(plan, scratch));
    if (plan->index > 0)
        return 0;
    const char *image = plan->image ? emu_text_at(plan->image, "selfLink")
                                    : emu_text_at(plan->existing.body, "sourceImage");
    snprintf(plan->instance->image, sizeof(plan->instance->image), "%s",
             image ? image + strlen(EMU_COMPUTE_BASE "/") : "");
    return 0;
}

int emu_insert_disks(const struct emu_insert_context *context, const char *name,
                     const json_t *disks, struct emu_instance *instance, json_t **ret,
                     struct emu_refusal *why)
{
    json_auto_t *attached = json_array();
    size_t i = 0;
    json_t *disk = NULL;
    if (json_array_size(disks) == 0 || !emu_true_at(json_array_get(disks, 0), "boot"))
        return emu_refuse_field(why, "resource.disks", "", "The first disk must be the boot disk.");
    if (json_array_size(disks) > DISKS_MAX)
        return emu_refuse_field(why, "resource.disks", "", "At most %d disks can be attached.",
                                DISKS_MAX);
    instance->new_disks = json_array();
    json_array_foreach(disks, i, disk)
    {
        VMCP_AUTO(clear)
        struct plan plan = {.context = context, .instance = instance, .asked = disk, .index = i};
        int rc = plan_disk(&plan, name, attached, why);
        if (rc < 0)
            return rc;
    }
    *ret = steal(&attached);
    return 0;
}

int emu_insert_attach(const struct emu_insert_context *context, struct emu_instance *instance,
                      const json_t *asked, size_t index, json_t **ret, struct emu_refusal *why)
{
    VMCP_AUTO(clear)
    struct plan plan = {.context = context, .instance = instance, .asked = asked, .index = index};
    char name[FIELD_MAX];
    if (json_object_get(asked, "initializeParams"))
        return emu_refuse_field(why, field(&plan, "", name), emu_text_at(asked, "source"),
                                "A disk that is attached is made before: no initializeParams.");
    int rc = plan_existing(&plan, emu_text_at(asked, "source"), why);
    if (rc < 0)
        return rc;
    json_auto_t *made = attach(&plan, false);
    if (!made)
        return emu_refuse(why, 500, "backendError", "No memory for a disk.");
    const char *device = emu_text_at(made, "deviceName");
    size_t i = 0;
    json_t *other = NULL;
    json_array_foreach(json_object_get(instance->resource, "disks"), i, other)
    {
        if (strcmp(emu_text_at(other, "deviceName"), device) == 0)
            return emu_refuse_field(why, field(&plan, ".deviceName", name), device,
                                    "Another disk of the instance has this name.");
    }
    rc = emu_insert_take_disk(context, instance, made, why);
    if (rc == 0)
        *ret = steal(&made);
    return rc;
}
