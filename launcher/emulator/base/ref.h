/* SPDX-License-Identifier: Apache-2.0 */
/* ref.h - references to Compute Engine resources, in every spelling that the API takes.
 *
 *   https://www.googleapis.com/compute/v1/projects/debian-cloud/global/images/family/debian-12
 *   projects/debian-cloud/global/images/family/debian-12
 *   zones/us-central1-a/machineTypes/e2-small
 *   global/networks/default        family/debian-12
 */
#ifndef EMU_REF_H
#define EMU_REF_H

#include <stdbool.h>

#define EMU_COMPUTE_BASE "https://www.googleapis.com/compute/v1"

enum { EMU_REF_PART = 128 };

struct emu_ref {
    char project[EMU_REF_PART]; /* "" where the reference names none */
    char scope[EMU_REF_PART];   /* "global", "zones/Z", "regions/R", or "" */
    char collection[EMU_REF_PART];
    char name[EMU_REF_PART];
    bool family; /* images: `name` is a family's */
};

/* Take a reference apart. False if it is none: too long, too few or too many parts, an empty one.
 * A name alone has no collection. */
bool emu_ref_parse(const char *text, struct emu_ref *ret);

/* The same, and it must name something in `collection`; a bare name is taken as one of it. */
bool emu_ref_parse_as(const char *text, const char *collection, struct emu_ref *ret);

/* Where the part after http(s)://HOST/compute/VERSION/ begins; `text` itself if it is no URL; ""
 * for a URL of something else. */
const char *emu_ref_skip_base(const char *text);

#endif
