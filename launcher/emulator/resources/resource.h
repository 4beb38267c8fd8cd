/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - what can be made and deleted besides instances: disks, templates, groups, policies.
 *
 * One row of the state each, with the Compute API's resource as JSON.
 */
#ifndef EMU_RESOURCE_H
#define EMU_RESOURCE_H

#include <jansson.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "store.h"

enum { EMU_RESOURCE_SCOPE_MAX = 80, EMU_RESOURCE_NAME_MAX = 63 };

struct emu_resource {
    uint64_t id;                            /* 0: none */
    char collection[64];                    /* "disks" */
    char scope[EMU_RESOURCE_SCOPE_MAX + 1]; /* "zones/Z", "regions/R", "global" */
    char name[EMU_RESOURCE_NAME_MAX + 1];
    json_t *body; /* owned */
};

void emu_resource_clear(struct emu_resource *resource);
#define auto_resource VMCP_AUTO(emu_resource_clear)

/* Its selfLink. Borrowed. */
const char *emu_resource_link(const struct emu_resource *resource);
/* "projects/P/SCOPE/COLLECTION/NAME" of its selfLink. Borrowed. */
const char *emu_resource_path(const struct emu_resource *resource);

/* Add a row; its id, and its name in collection and scope, must be free. */
VMCP_MUST_CHECK int emu_resource_insert(struct emu_store *store,
                                        const struct emu_resource *resource,
                                        struct vmcp_error *err);
/* Write the body of the row `id`. */
VMCP_MUST_CHECK int emu_resource_save(struct emu_store *store, const struct emu_resource *resource,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_resource_delete(struct emu_store *store, uint64_t id,
                                        struct vmcp_error *err);

/* Look up by name or numeric id in a scope, or by id. *ret is to be cleared; its id is 0 if there
 * is none. */
VMCP_MUST_CHECK int emu_resource_find(struct emu_store *store, const char *collection,
                                      const char *scope, const char *name_or_id,
                                      struct emu_resource *ret, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_resource_by_id(struct emu_store *store, uint64_t id,
                                       struct emu_resource *ret, struct vmcp_error *err);

/* Call `each` for those of a collection in a scope (NULL: in all), by scope and name. Below 0 ends
 * it. */
typedef int (*emu_resource_each_fn)(void *arg, struct emu_resource *resource);
VMCP_MUST_CHECK int emu_resource_each(struct emu_store *store, const char *collection,
                                      const char *scope, emu_resource_each_fn each, void *arg,
                                      struct vmcp_error *err);

#endif
