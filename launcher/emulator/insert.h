/* SPDX-License-Identifier: Apache-2.0 */
/* insert.h - from the body of instances.insert to an Instance.
 *
 * Everything that Compute Engine would refuse at once is refused here, in its words; what it would
 * fill in is filled in.
 */
#ifndef EMU_INSERT_H
#define EMU_INSERT_H

#include <jansson.h>

#include "instance.h"
#include "refusal.h"
#include "store.h"

struct emu_insert_context {
    struct emu_store *store;
    const char *project;
    const char *zone;
    uint32_t subnet;             /* of the VMs' addresses, a /20; host byte order */
    const char *default_account; /* what `email: "default"` means */
    const char *caller;          /* who asks, for messages */
};

/* Make the instance of `body`, which was checked against its schema. Everything is filled but id
 * and selfLink's like, which emu_insert_name() sets, and an address that was not asked for (ip is
 * 0 then). *ret is to be cleared. */
VMCP_MUST_CHECK int emu_insert_plan(const struct emu_insert_context *context, const json_t *body,
                                    struct emu_instance *ret, struct emu_refusal *why);

/* Give the instance its id and address, in a transaction: what was free stays free. */
VMCP_MUST_CHECK int emu_insert_place(const struct emu_insert_context *context,
                                     struct emu_instance *instance, struct emu_refusal *why);

/* Parts of a plan, each a new reference in *ret. */
VMCP_MUST_CHECK int emu_insert_disks(const struct emu_insert_context *context, const char *name,
                                     const json_t *disks, char *ret_image, size_t image_size,
                                     json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_nics(const struct emu_insert_context *context, const json_t *nics,
                                    uint32_t *ret_ip, json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_scheduling(const json_t *scheduling, json_t **ret,
                                          struct emu_refusal *why);

/* Metadata, tags and labels as the API keeps them; also for setMetadata, setTags and setLabels.
 * NULL is an empty one. */
VMCP_MUST_CHECK int emu_insert_metadata(const json_t *metadata, json_t **ret,
                                        struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_tags(const json_t *tags, json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_labels(json_t *labels, struct emu_refusal *why);

#endif
