/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - disks: their sizes, types and images, and the Disk resource.
 *
 * A disk here is a row of the state and no bytes: VMs boot from the emulator's own root.
 */
#ifndef EMU_DISK_H
#define EMU_DISK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/refusal.h"
#include "cloud.h"
#include "resource.h"

enum { EMU_DISK_GB_MAX = 65536 };

struct emu_disk_spec {
    const char *project, *zone;
    const char *name;
    const char *type;  /* "pd-balanced" */
    int64_t size_gb;   /* in: asked for, 0: not; out: what it is */
    json_t *image;     /* borrowed: the Image that it is made from; NULL: none */
    json_t *labels;    /* borrowed; NULL: none */
    const char *about; /* its description; NULL: none */
};

/* The short names of the disk types, in order; NULL past the end. */
const char *emu_disk_type_at(size_t index);
bool emu_disk_type_exists(const char *name);
/* The DiskType resource. New reference. */
json_t *emu_disk_type_resource(const char *name, const char *project, const char *zone);

/* Read a reference to a disk type into a short name, "pd-standard" where `text` is NULL. `field`
 * names it in refusals. */
VMCP_MUST_CHECK int emu_disk_read_type(const char *text, const char *project, const char *zone,
                                       const char *field, char ret[static 64],
                                       struct emu_refusal *why);
/* Fill in and check the size. `field` names it in refusals. */
VMCP_MUST_CHECK int emu_disk_check_size(struct emu_disk_spec *spec, const char *field,
                                        struct emu_refusal *why);

/* The Disk resource, without an id and attached to nothing. New reference; NULL without memory. */
json_t *emu_disk_resource(const struct emu_disk_spec *spec);

/* Put a disk into the state. 409 where its name is taken. Inside a transaction. */
VMCP_MUST_CHECK int emu_disk_put(struct emu_cloud *cloud, const char *zone, json_t *body,
                                 struct emu_resource *ret, struct emu_refusal *why);

/* Note that the instance at `link` uses the disk, or does no more. */
void emu_disk_add_user(struct emu_resource *disk, const char *link);
void emu_disk_drop_user(struct emu_resource *disk, const char *link);

/* The disk that an instance's disk entry names as its source. Its id is 0 if there is none. */
VMCP_MUST_CHECK int emu_disk_of(struct emu_store *store, const json_t *attached,
                                struct emu_resource *ret, struct vmcp_error *err);

#endif
