/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "fingerprint.h"
#include "instance.h"

enum { GB_BLANK = 500 };

static const struct {
    const char *name, *sizes, *size;
} types[] = {
    {"pd-standard", "10GB-65536GB", "500"},
    {"pd-balanced", "10GB-65536GB", "100"},
    {"pd-ssd", "10GB-65536GB", "100"},
    {"pd-extreme", "500GB-65536GB", "1000"},
    {"hyperdisk-balanced", "4GB-65536GB", "100"},
    {"hyperdisk-extreme", "64GB-65536GB", "1000"},
    {"hyperdisk-throughput", "2048GB-32768GB", "2048"},
    {"local-ssd", "375GB-375GB", "375"},
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

const char *emu_disk_type_at(size_t index)
{
    return index < TYPE_COUNT ? types[index].name : NULL;
}

static size_t find_type(const char *name)
{
    size_t i = 0;
    while (i < TYPE_COUNT && strcmp(types[i].name, name) != 0)
        i++;
    return i;
}

bool emu_disk_type_exists(const char *name)
{
    return find_type(name) < TYPE_COUNT;
}

json_t *emu_disk_type_resource(const char *name, const char *project, const char *zone)
{
    size_t i = find_type(name);
    if (i == TYPE_COUNT)
        return NULL;
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "kind", "compute#diskType", "id",
        json_sprintf("%zu", 30001 + i), "creationTimestamp", "1969-12-31T16:00:00.000-08:00",
        "name", name, "description", name, "validDiskSize", types[i].sizes, "defaultDiskSizeGb",
        types[i].size, "zone",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", project, zone), "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/diskTypes/%s", project, zone, name));
}

int emu_disk_read_type(const char *text, const char *project, const char *zone, const char *field,
                       char ret[static 64], struct emu_refusal *why)
{
    struct emu_ref ref;
    snprintf(ret, 64, "pd-standard");
    if (!text || !*text)
        return 0;
    if (!emu_ref_parse_as(text, "diskTypes", &ref))
        return emu_refuse_field(why, field, text, "The URL is malformed.");
    if (!emu_disk_type_exists(ref.name))
        return emu_refuse(why, 404, "notFound",
                          "The resource 'projects/%s/zones/%s/diskTypes/%s' was not found", project,
                          zone, ref.name);
    snprintf(ret, 64, "%s", types[find_type(ref.name)].name);
    return 0;
}

int emu_disk_check_size(struct emu_disk_spec *spec, const char *field, struct emu_refusal *why)
{
    int64_t least = spec->image ? emu_int64_at(spec->image, "diskSizeGb") : 0;
    char text[24];
    if (spec->size_gb == 0)
        spec->size_gb = spec->image ? least : GB_BLANK;
    snprintf(text, sizeof(text), "%" PRId64, spec->size_gb);
    if (spec->size_gb < 0 || spec->size_gb > EMU_DISK_GB_MAX)
        return emu_refuse_field(why, field, text, "Disk size must be between 10 GB and %d GB.",
                                EMU_DISK_GB_MAX);
    if (spec->size_gb < least)
        return emu_refuse_field(
            why, field, text,
            "Requested disk size cannot be smaller than the image size (%" PRId64 " GB)", least);
    return 0;
}

json_t *emu_disk_resource(const struct emu_disk_spec *spec)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_t *made = json_pack(
        "{s:s, s:s, s:s, s:s*, s:o, s:o, s:s, s:o, s:o, s:o, s:s}", "kind", "compute#disk",
        "creationTimestamp", now, "name", spec->name, "description", spec->about, "sizeGb",
        json_sprintf("%" PRId64, spec->size_gb), "zone",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", spec->project, spec->zone), "status",
        "READY", "type",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/diskTypes/%s", spec->project,
                     spec->zone, spec->type),
        "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/disks/%s", spec->project, spec->zone,
                     spec->name),
        "labelFingerprint", emu_fingerprint(spec->labels), "physicalBlockSizeBytes", "4096");
    if (made && spec->labels)
        json_object_set(made, "labels", spec->labels);
    if (!made || !spec->image)
        return made;
    static const char *const inherited[] = {"licenses", "licenseCodes", "guestOsFeatures",
                                            "architecture"};
    json_object_set(made, "sourceImage", json_object_get(spec->image, "selfLink"));
    json_object_set(made, "sourceImageId", json_object_get(spec->image, "id"));
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        json_object_set(made, inherited[i], json_object_get(spec->image, inherited[i]));
    return made;
}

int emu_disk_put(struct emu_cloud *cloud, const char *zone, json_t *body, struct emu_resource *ret,
                 struct emu_refusal *why)
{
    auto_resource struct emu_resource disk = {.collection = "disks", .body = json_incref(body)};
    auto_resource struct emu_resource other = {0};
    struct vmcp_error err = {0};
    snprintf(disk.scope, sizeof(disk.scope), "zones/%s", zone);
    snprintf(disk.name, sizeof(disk.name), "%s", emu_text_at(body, "name"));
    if (emu_resource_find(cloud->store, "disks", disk.scope, disk.name, &other, &err) < 0 ||
        emu_id_make(&disk.id, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (other.id)
        return emu_refuse(why, 409, "alreadyExists", "The resource '%s' already exists",
                          emu_resource_path(&disk));
    json_object_set_new(body, "id", json_sprintf("%llu", (unsigned long long)disk.id));
    if (emu_resource_insert(cloud->store, &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = disk;
    disk = (struct emu_resource){0};
    return 0;
}

void emu_disk_add_user(struct emu_resource *disk, const char *link)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_t *users = json_object_get(disk->body, "users");
    if (users)
        json_array_append_new(users, json_string(link));
    else
        json_object_set_new(disk->body, "users", json_pack("[s]", link));
    json_object_set_new(disk->body, "lastAttachTimestamp", json_string(now));
}

void emu_disk_drop_user(struct emu_resource *disk, const char *link)
{
    char now[EMU_TIME_LEN + 1];
    json_t *users = json_object_get(disk->body, "users");
    emu_clock_text(emu_clock_ms(), now);
    for (size_t i = json_array_size(users); i > 0; i--)
        if (strcmp(json_string_value(json_array_get(users, i - 1)), link) == 0)
            json_array_remove(users, i - 1);
    if (json_array_size(users) == 0)
        json_object_del(disk->body, "users");
    json_object_set_new(disk->body, "lastDetachTimestamp", json_string(now));
}

int emu_disk_of(struct emu_store *store, const json_t *attached, struct emu_resource *ret,
                struct vmcp_error *err)
{
    struct emu_ref ref;
    *ret = (struct emu_resource){0};
    const char *source = emu_text_at(attached, "source");
    if (!source || !emu_ref_parse_as(source, "disks", &ref))
        return 0;
    return emu_resource_find(store, "disks", ref.scope, ref.name, ret, err);
}
