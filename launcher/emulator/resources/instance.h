/* SPDX-License-Identifier: Apache-2.0 */
/* instance.h - the instances: one row of the state each, with the Compute API's resource as JSON.
 *
 * The resource is what instances.get answers. What the API does not show but the metadata server
 * does (the image) stands beside it.
 */
#ifndef EMU_INSTANCE_H
#define EMU_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "store.h"

/* Addresses in the subnetwork of every VM, a /20 (emu_room_subnet()). Its second is the gateway. */
enum { EMU_SUBNET_SIZE = 4096, EMU_INSTANCE_NAME_MAX = 63 };

/* The statusMessage of one that is, or was, preempted. */
#define EMU_PREEMPTED "Instance was preempted."

struct emu_instance {
    uint64_t id; /* 0: none */
    uint32_t ip; /* host byte order */
    char zone[EMU_INSTANCE_NAME_MAX + 1];
    char name[EMU_INSTANCE_NAME_MAX + 1];
    char image[256];  /* projects/P/global/images/NAME, or "" */
    int cpus;         /* of its machine type */
    uint64_t manager; /* the id of the managed group that it belongs to; 0: none */
    json_t *resource; /* owned */
    /* Between plan and insert: the disks that are made with it, Disk resources. Owned. */
    json_t *new_disks;
};

void emu_instance_clear(struct emu_instance *instance);
#define auto_instance VMCP_AUTO(emu_instance_clear)

/* "RUNNING" and so on, from the resource. Borrowed. */
const char *emu_instance_status(const struct emu_instance *instance);
void emu_instance_set_status(struct emu_instance *instance, const char *status);
/* Set a timestamp member to now. */
void emu_instance_stamp(struct emu_instance *instance, const char *member);
/* "projects/P/zones/Z/instances/I" of its selfLink. Borrowed. */
const char *emu_instance_path(const struct emu_instance *instance);

/* Add a row; its id, zone, name and ip must be free. */
VMCP_MUST_CHECK int emu_instance_insert(struct emu_store *store,
                                        const struct emu_instance *instance,
                                        struct vmcp_error *err);
/* Write status and resource of the row `id`. */
VMCP_MUST_CHECK int emu_instance_save(struct emu_store *store, const struct emu_instance *instance,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_instance_delete(struct emu_store *store, uint64_t id,
                                        struct vmcp_error *err);

/* Look up by name or numeric id in a zone, by id, by address. *ret is to be cleared; its id is 0 if
 * there is none. */
VMCP_MUST_CHECK int emu_instance_find(struct emu_store *store, const char *zone,
                                      const char *name_or_id, struct emu_instance *ret,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_instance_by_id(struct emu_store *store, uint64_t id,
                                       struct emu_instance *ret, struct vmcp_error *err);

/* Call `each` for the instances of a zone (NULL: all), in the order of their names; for those of a
 * managed group. Below 0 ends it. */
typedef int (*emu_instance_each_fn)(void *arg, struct emu_instance *instance);
VMCP_MUST_CHECK int emu_instance_each_of(struct emu_store *store, uint64_t manager,
                                         emu_instance_each_fn each, void *arg,
                                         struct vmcp_error *err);
VMCP_MUST_CHECK int emu_instance_each(struct emu_store *store, const char *zone,
                                      emu_instance_each_fn each, void *arg, struct vmcp_error *err);

/* The lowest free address of the /20 `subnet`, and whether one is taken. *ret is 0 if all are. */
VMCP_MUST_CHECK int emu_instance_free_ip(struct emu_store *store, uint32_t subnet, uint32_t *ret,
                                         struct vmcp_error *err);
VMCP_MUST_CHECK int emu_instance_ip_taken(struct emu_store *store, uint32_t ip, bool *ret,
                                          struct vmcp_error *err);

/* A random id like Google's, 1 to 2^63-1. */
VMCP_MUST_CHECK int emu_id_make(uint64_t *ret, struct vmcp_error *err);

#endif
