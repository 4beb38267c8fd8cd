/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - managed instance groups: how many instances they are to have, and who sees to it.
 *
 * emu_groups_keep() makes what the groups say true: it inserts instances that are missing, deletes
 * those that are too many, starts those that somebody stopped. It is called by the worker after
 * every step that touched a group or an instance of one, and every second where something failed.
 */
#ifndef EMU_GROUP_H
#define EMU_GROUP_H

#include "base/refusal.h"
#include "cloud.h"
#include "member.h"
#include "resource.h"

enum { EMU_GROUP_SIZE_MAX = 2000 };

/* Make the group's members so many. Within a transaction. */
VMCP_MUST_CHECK int emu_group_resize(struct emu_cloud *cloud, struct emu_resource *group,
                                     int64_t size, struct emu_refusal *why);
/* One more member, of that name in that zone. Within a transaction. */
VMCP_MUST_CHECK int emu_group_add(struct emu_cloud *cloud, struct emu_resource *group,
                                  const char *zone, const char *name, struct emu_refusal *why);

/* One round of work for all groups. *ret_again says that there is more to do at once. `retry`: also
 * what failed before. */
VMCP_MUST_CHECK int emu_groups_keep(struct emu_cloud *cloud, bool retry, bool *ret_again,
                                    struct vmcp_error *err);

/* What is being done about a member: "NONE", "CREATING", "DELETING", "RECREATING", "RESTARTING". */
const char *emu_group_action(const struct emu_member *member);

#endif
