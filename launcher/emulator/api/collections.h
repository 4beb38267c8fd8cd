/* SPDX-License-Identifier: Apache-2.0 */
/* collections.h - the kinds of resources: what they are called and how they are made.
 */
#ifndef EMU_COLLECTIONS_H
#define EMU_COLLECTIONS_H

#include <jansson.h>

#include "call.h"
#include "resources/resource.h"
#include "schema.h"

struct emu_collection {
    const char *name;               /* "disks" */
    const char *singular;           /* "disk": kinds are compute#disk and compute#diskList */
    const struct emu_field *fields; /* of an insert's body; NULL: they are not inserted so */
    /* Check and complete the resource, which has what every one has and the members of the body.
     * Inside the transaction. NULL: it is complete. */
    int (*make)(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why);
    /* Refuse a delete; inside the transaction. NULL: it may go. */
    int (*check_delete)(struct emu_call *call, struct emu_resource *resource,
                        struct emu_refusal *why);
    /* Fill in what changes by itself, for an answer. NULL: nothing does. */
    int (*show)(struct emu_cloud *cloud, struct emu_resource *resource, struct emu_refusal *why);
};

/* NULL: there is none of that name. */
const struct emu_collection *emu_collection_find(const char *name);

/* The makers, by file. */
#define EMU_MAKER(name) \
    int name(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
EMU_MAKER(emu_disk_make);
EMU_MAKER(emu_disk_check_delete);
EMU_MAKER(emu_image_make);
EMU_MAKER(emu_template_make);
EMU_MAKER(emu_template_check_delete);
EMU_MAKER(emu_network_make);
EMU_MAKER(emu_network_check_delete);
EMU_MAKER(emu_subnetwork_make);
EMU_MAKER(emu_subnetwork_check_delete);
EMU_MAKER(emu_policy_make);
EMU_MAKER(emu_group_make);
EMU_MAKER(emu_group_check_delete);
int emu_instance_group_show(struct emu_cloud *cloud, struct emu_resource *resource,
                            struct emu_refusal *why);
int emu_group_show(struct emu_cloud *cloud, struct emu_resource *resource, struct emu_refusal *why);

#endif
