/* SPDX-License-Identifier: Apache-2.0 */
/* images.h - images: the public ones that exist here, and those made in this project. */
#ifndef EMU_IMAGES_H
#define EMU_IMAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/refusal.h"
#include "cloud.h"

/* The Image resource `name`, or the newest of the family `name` that is not deprecated: a public
 * one, or one that was made in this cloud's project. New reference in *ret; NULL: there is none. */
VMCP_MUST_CHECK int emu_image_find(struct emu_cloud *cloud, const char *project, const char *name,
                                   bool family, json_t **ret, struct emu_refusal *why);
/* The same by a reference in any spelling; what is not there is refused. `field` names it. */
VMCP_MUST_CHECK int emu_image_resolve(struct emu_cloud *cloud, const char *text, const char *field,
                                      json_t **ret, struct emu_refusal *why);

/* The resources of a project's public images; new references, NULL past the end. */
json_t *emu_image_at(const char *project, size_t index);
/* A public image by name; NULL: there is none. New reference. */
json_t *emu_image_public(const char *project, const char *name);
/* True for a project that has public images. */
bool emu_image_project_exists(const char *project);
/* 404 for a project that is neither this one nor has public images. */
VMCP_MUST_CHECK int emu_image_check_project(struct emu_cloud *cloud, const char *project,
                                            struct emu_refusal *why);

#endif
