/* SPDX-License-Identifier: Apache-2.0 */
/* insert.h - from the body of instances.insert to an Instance.
 *
 * Everything that Compute Engine would refuse at once is refused here, in its words; what it would
 * fill in is filled in.
 */
#ifndef EMU_INSERT_H
#define EMU_INSERT_H

#include <jansson.h>

#include "base/refusal.h"
#include "cloud.h"
#include "instance.h"
#include "machine_types.h"
#include "store.h"

struct emu_insert_context {
    struct emu_cloud *cloud;
    struct emu_store *store;
    const char *project;
    const char *zone;
    uint32_t subnet;             /* of the VMs' addresses, a /20; host byte order */
    const char *default_account; /* what `email: "default"` means */
    const char *caller;          /* who asks; NULL: the emulator itself */
};

/* Make the instance of `body`, which was checked against its schema. Everything is filled but id
 * and selfLink's like, which emu_insert_name() sets, and an address that was not asked for (ip is
 * 0 then). *ret is to be cleared. */
VMCP_MUST_CHECK int emu_insert_plan(const struct emu_insert_context *context, const json_t *body,
                                    struct emu_instance *ret, struct emu_refusal *why);

/* A context in that cloud and zone. All borrowed. */
struct emu_insert_context emu_insert_context_of(struct emu_cloud *cloud, const char *zone,
                                                const char *caller);

/* Put a planned instance into the state, with its id, its address and its new disks, and make its
 * metadata view. Refuses a name or address that is taken, and what is over a quota. Inside a
 * transaction; where that is rolled back, emu_cloud_forget() the instance. */
VMCP_MUST_CHECK int emu_insert_put(const struct emu_insert_context *context,
                                   struct emu_instance *instance, struct emu_refusal *why);

/* A name by RFC 1035; `field` names it in the refusal. */
VMCP_MUST_CHECK int emu_insert_check_name(const char *field, const char *name,
                                          struct emu_refusal *why);

/* A machine type by its path in the context's zone. */
VMCP_MUST_CHECK int emu_insert_check_machine_type(const struct emu_insert_context *context,
                                                  const char *text, struct emu_machine_type *ret,
                                                  struct emu_refusal *why);

/* Parts of a plan, each a new reference in *ret. */
VMCP_MUST_CHECK int emu_insert_disks(const struct emu_insert_context *context, const char *name,
                                     const json_t *disks, struct emu_instance *instance,
                                     json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_nics(const struct emu_insert_context *context, const json_t *nics,
                                    uint32_t *ret_ip, json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_scheduling(const json_t *scheduling, json_t **ret,
                                          struct emu_refusal *why);

/* At most one service account, which the caller may act as; *ret is NULL for none. */
VMCP_MUST_CHECK int emu_insert_account(const struct emu_insert_context *context,
                                       const json_t *accounts, json_t **ret,
                                       struct emu_refusal *why);

/* Attach a disk that is there to an instance in the state, as its disk number `index`; *ret is the
 * new entry of `disks`. Inside a transaction. */
VMCP_MUST_CHECK int emu_insert_attach(const struct emu_insert_context *context,
                                      struct emu_instance *instance, const json_t *asked,
                                      size_t index, json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_take_disk(const struct emu_insert_context *context,
                                         struct emu_instance *instance, const json_t *attached,
                                         struct emu_refusal *why);

/* Metadata, tags and labels as the API keeps them; also for setMetadata, setTags and setLabels.
 * NULL is an empty one. */
VMCP_MUST_CHECK int emu_insert_metadata(const json_t *metadata, json_t **ret,
                                        struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_tags(const json_t *tags, json_t **ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_insert_labels(json_t *labels, struct emu_refusal *why);

#endif
