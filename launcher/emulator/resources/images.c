/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "resource.h"

/* Of a family, the newest comes first. */
static const struct image {
    const char *project, *family, *name;
    const char *architecture; /* "X86_64" or "ARM64" */
    int disk_gb;              /* the least size of a boot disk */
    const char *license;      /* in the project of the image */
    const char *license_code; /* digits */
    const char *created;      /* RFC 3339 */
    bool uefi;                /* secure boot, vTPM and integrity monitoring work */
} images[] = {
    {"debian-cloud", "debian-12", "debian-12-bookworm-v20240910", "X86_64", 10,
     "debian-12-bookworm", "2147286739765738111", "2024-09-10T10:03:17.251-07:00", true},
    {"debian-cloud", "debian-12", "debian-12-bookworm-v20240815", "X86_64", 10,
     "debian-12-bookworm", "2147286739765738111", "2024-08-15T10:01:49.118-07:00", true},
    {"debian-cloud", "debian-12-arm64", "debian-12-bookworm-arm64-v20240910", "ARM64", 10,
     "debian-12-bookworm", "2147286739765738111", "2024-09-10T10:03:21.702-07:00", true},
    {"debian-cloud", "debian-11", "debian-11-bullseye-v20240910", "X86_64", 10,
     "debian-11-bullseye", "3853522013536123851", "2024-09-10T10:02:44.306-07:00", true},
    {"ubuntu-os-cloud", "ubuntu-2204-lts", "ubuntu-2204-jammy-v20240904", "X86_64", 10,
     "ubuntu-2204-lts", "5511465778777431107", "2024-09-04T06:14:31.940-07:00", true},
    {"ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "ubuntu-2404-noble-amd64-v20240830", "X86_64", 10,
     "ubuntu-2404-lts", "2211838267635035815", "2024-08-30T05:48:02.415-07:00", true},
    {"cos-cloud", "cos-stable", "cos-stable-113-18244-151-50", "X86_64", 10, "cos", "1001010",
     "2024-09-06T15:21:10.377-07:00", true},
    {"rocky-linux-cloud", "rocky-linux-9", "rocky-linux-9-v20240815", "X86_64", 20, "rocky-linux-9",
     "5326453122216126237", "2024-08-15T09:37:58.623-07:00", true},
    {"fedora-coreos-cloud", "fedora-coreos-stable", "fedora-coreos-40-20240825-3-0-gcp-x86-64",
     "X86_64", 10, "fedora-coreos-stable", "6104741362153024826", "2024-09-03T11:29:13.090-07:00",
     true},
};

enum { IMAGE_COUNT = sizeof(images) / sizeof(images[0]) };

bool emu_image_project_exists(const char *project)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0)
            return true;
    return false;
}

static json_t *features(const struct image *image)
{
    json_t *list = json_pack("[{s:s}, {s:s}, {s:s}]", "type", "VIRTIO_SCSI_MULTIQUEUE", "type",
                             "GVNIC", "type", "SEV_CAPABLE");
    if (list && image->uefi)
        json_array_append_new(list, json_pack("{s:s}", "type", "UEFI_COMPATIBLE"));
    return list;
}

static json_t *licenses(const struct image *image)
{
    return json_pack("[o]", json_sprintf(EMU_COMPUTE_BASE "/projects/%s/global/licenses/%s",
                                         image->project, image->license));
}

static json_t *resource_of(const struct image *image)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)image->name, strlen(image->name), digest);
    uint64_t id = 0;
    for (int i = 0; i < 7; i++)
        id = id << 8 | digest[i];
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:[s], s:o, s:s, s:s, s:[s], s:s}",
        "kind", "compute#image", "id", json_sprintf("%llu", (unsigned long long)id + 1),
        "creationTimestamp", image->created, "name", image->name, "family", image->family,
        "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/global/images/%s", image->project, image->name),
        "status", "READY", "diskSizeGb", json_sprintf("%d", image->disk_gb), "archiveSizeBytes",
        "1383505728", "licenses", licenses(image), "licenseCodes", image->license_code,
        "guestOsFeatures", features(image), "architecture", image->architecture, "sourceType",
        "RAW", "storageLocations", "us", "labelFingerprint", "42WmSpB8rSM=");
}

json_t *emu_image_at(const char *project, size_t index)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0 && index-- == 0)
            return resource_of(&images[i]);
    return NULL;
}

static const struct image *find_public(const char *project, const char *name, bool family)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0 &&
            strcmp(family ? images[i].family : images[i].name, name) == 0)
            return &images[i];
    return NULL;
}

json_t *emu_image_public(const char *project, const char *name)
{
    const struct image *image = find_public(project, name, false);
    return image ? resource_of(image) : NULL;
}

struct search {
    const char *family;
    json_t *found; /* owned */
};

static bool is_usable(const json_t *image)
{
    const char *state = emu_text_at(json_object_get(image, "deprecated"), "state");
    return !state || strcmp(state, "ACTIVE") == 0;
}

/* The newest one counts. */
static int look(void *arg, struct emu_resource *resource)
{
    struct search *search = arg;
    const char *family = emu_text_at(resource->body, "family");
    if (!family || strcmp(family, search->family) != 0 || !is_usable(resource->body))
        return 0;
    if (search->found && strcmp(emu_text_at(search->found, "creationTimestamp"),
                                emu_text_at(resource->body, "creationTimestamp")) > 0)
        return 0;
    json_decref(search->found);
    search->found = json_incref(resource->body);
    return 0;
}

/* One of this project's own. */
static int find_own(struct emu_cloud *cloud, const char *name, bool family, json_t **ret,
                    struct emu_refusal *why)
{
    auto_resource struct emu_resource image = {0};
    struct search search = {.family = name};
    struct vmcp_error err = {0};
    int rc = family ? emu_resource_each(cloud->store, "images", "global", look, &search, &err)
                    : emu_resource_find(cloud->store, "images", "global", name, &image, &err);
    if (rc < 0) {
        json_decref(search.found);
        return emu_refuse_fault(why, &err);
    }
    *ret = family ? search.found : json_incref(image.body);
    return 0;
}

int emu_image_find(struct emu_cloud *cloud, const char *project, const char *name, bool family,
                   json_t **ret, struct emu_refusal *why)
{
    const struct image *image = find_public(project, name, family);
    *ret = NULL;
    if (emu_cloud_is_project(cloud, project))
        return find_own(cloud, name, family, ret, why);
    if (image && !(*ret = resource_of(image)))
        return emu_refuse(why, 500, "backendError", "No memory for an image.");
    return 0;
}

int emu_image_resolve(struct emu_cloud *cloud, const char *text, const char *field, json_t **ret,
                      struct emu_refusal *why)
{
    struct emu_ref ref;
    if (!emu_ref_parse_as(text, "images", &ref))
        return emu_refuse_field(why, field, text, "The URL is malformed.");
    const char *project = ref.project[0] ? ref.project : cloud->project;
    int rc = emu_image_find(cloud, project, ref.name, ref.family, ret, why);
    if (rc < 0 || *ret)
        return rc;
    return emu_refuse(why, 404, "notFound",
                      "The resource 'projects/%s/global/images/%s%s' was not found", project,
                      ref.family ? "family/" : "", ref.name);
}
