/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

#include "ref.h"

/* Of a family, the newest comes first. */
static const struct emu_image images[] = {
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

const struct emu_image *emu_image_at(size_t index)
{
    return index < IMAGE_COUNT ? &images[index] : NULL;
}

const struct emu_image *emu_image_find(const char *project, const char *name)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0 && strcmp(images[i].name, name) == 0)
            return &images[i];
    return NULL;
}

const struct emu_image *emu_image_of_family(const char *project, const char *family)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0 && strcmp(images[i].family, family) == 0)
            return &images[i];
    return NULL;
}

bool emu_image_project_exists(const char *project)
{
    for (size_t i = 0; i < IMAGE_COUNT; i++)
        if (strcmp(images[i].project, project) == 0)
            return true;
    return false;
}

json_t *emu_image_features(const struct emu_image *image)
{
    json_t *features = json_pack("[{s:s}, {s:s}, {s:s}]", "type", "VIRTIO_SCSI_MULTIQUEUE", "type",
                                 "GVNIC", "type", "SEV_CAPABLE");
    if (features && image->uefi)
        json_array_append_new(features, json_pack("{s:s}", "type", "UEFI_COMPATIBLE"));
    return features;
}

json_t *emu_image_licenses(const struct emu_image *image)
{
    return json_pack("[o]", json_sprintf(EMU_COMPUTE_BASE "/projects/%s/global/licenses/%s",
                                         image->project, image->license));
}

json_t *emu_image_resource(const struct emu_image *image)
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
        "1383505728", "licenses", emu_image_licenses(image), "licenseCodes", image->license_code,
        "guestOsFeatures", emu_image_features(image), "architecture", image->architecture,
        "sourceType", "RAW", "storageLocations", "us", "labelFingerprint", "42WmSpB8rSM=");
}
