/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - boot images: how they are named, and which one a family means now. */
#ifndef LAUNCH_IMAGE_H
#define LAUNCH_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "compute.h"
#include "lib/error.h"
#include "resource.h"

#define LAUNCH_IMAGE_DEFAULT "projects/debian-cloud/global/images/family/debian-12"

struct launch_image_ref {
    char project[LAUNCH_PROJECT_MAX + 1];
    char name[LAUNCH_LABEL_MAX + 1]; /* of the image, or of the family */
    bool family;
};

/* Read `projects/P/global/images/[family/]X`, `global/images/[family/]X` (of `own_project`) or a
 * Compute URL of one. `collection` is "images" or "snapshots" (which have no families). Anything
 * else is VMCP_E_PLAN, with what would work. */
VMCP_MUST_CHECK int launch_image_parse(const char *text, const char *collection,
                                       const char *own_project, struct launch_image_ref *ret,
                                       struct vmcp_error *err);

struct launch_image {
    char path[LAUNCH_PATH_MAX]; /* projects/P/global/images/NAME */
    char project[LAUNCH_PROJECT_MAX + 1];
    int64_t size_gb; /* of its disk; 0: not said */
    bool uefi;       /* it can boot shielded */
    bool known;      /* false: there is none, or nobody was asked */
};

/* What a reference says, nobody having been asked: its path, a family's too; no size. */
void launch_image_take(const struct launch_image_ref *ref, struct launch_image *ret);

/* Ask the API which image that is. VMCP_E_API where there is none. */
VMCP_MUST_CHECK int launch_image_resolve(const struct launch_compute *compute,
                                         const struct launch_image_ref *ref,
                                         struct launch_image *ret, struct vmcp_error *err);

#endif
