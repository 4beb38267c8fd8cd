/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - which metadata a caller sees: each VM its own, whoever is outside the workstation's.
 *
 * A VM is known by the internal address that its connection comes from. A view is immutable and
 * counted; a change puts a new one in its place.
 */
#ifndef EMU_VIEW_H
#define EMU_VIEW_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "resources/instance.h"
#include "tree.h"

struct emu_view {
    char name[EMU_INSTANCE_NAME_MAX + 1]; /* the VM's; "" for the workstation's */
    uint32_t ip;                          /* the VM's, host byte order */
    uint64_t id;                          /* the instance's */
    int64_t created;                      /* when, in seconds since 1970 */
    json_t *tree;                         /* see tree.h */
    unsigned refs;
};

struct emu_views;

VMCP_MUST_CHECK int emu_views_new(struct emu_views **ret, struct vmcp_error *err);
void emu_views_free(struct emu_views *views);

/* Put the view of an instance in place; with `is_default` it is the one for everybody else. `guest`
 * is its guest attributes, borrowed; NULL: none. */
VMCP_MUST_CHECK int emu_views_put(struct emu_views *views, const struct emu_tree_project *project,
                                  const struct emu_instance *instance, const json_t *guest,
                                  bool is_default, struct vmcp_error *err);
/* The same for everybody else, from a tree that was made elsewhere; takes its reference on success.
 */
VMCP_MUST_CHECK int emu_views_put_default(struct emu_views *views, json_t *tree, int64_t created,
                                          struct vmcp_error *err);
/* Give the instance of `view` other guest attributes, if it is still there. Takes the reference of
 * `guest`. */
VMCP_MUST_CHECK int emu_views_set_guest(struct emu_views *views, const struct emu_view *view,
                                        json_t *guest, struct vmcp_error *err);
void emu_views_drop(struct emu_views *views, uint32_t ip);

/* The view of whoever is at `peer`, to be released; NULL for an address of the VMs' subnetwork that
 * is no VM's. */
const struct emu_view *emu_views_get(struct emu_views *views, const struct sockaddr_storage *peer);
void emu_view_release(struct emu_views *views, const struct emu_view *view);

#endif
