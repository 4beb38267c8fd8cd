/* SPDX-License-Identifier: Apache-2.0 */
/* images.h - the public images that exist here, one or more for each family. */
#ifndef EMU_IMAGES_H
#define EMU_IMAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct emu_image {
    const char *project, *family, *name;
    const char *architecture; /* "X86_64" or "ARM64" */
    int disk_gb;              /* the least size of a boot disk */
    const char *license;      /* in the project of the image */
    const char *license_code; /* digits */
    const char *created;      /* RFC 3339 */
    bool uefi;                /* secure boot, vTPM and integrity monitoring work */
};

/* An image by name, and the newest of a family; NULL: there is none. */
const struct emu_image *emu_image_find(const char *project, const char *name);
const struct emu_image *emu_image_of_family(const char *project, const char *family);
/* All images in order; NULL past the end. */
const struct emu_image *emu_image_at(size_t index);
/* True for a project that has public images. */
bool emu_image_project_exists(const char *project);

/* The Image resource. New reference; NULL without memory. */
json_t *emu_image_resource(const struct emu_image *image);
/* Its guestOsFeatures and licenses, as a disk made from it has them. */
json_t *emu_image_features(const struct emu_image *image);
json_t *emu_image_licenses(const struct emu_image *image);

#endif
