/* SPDX-License-Identifier: Apache-2.0 */
/* member.h - the instances that a managed group is to have, beside those that it has.
 *
 * A resize changes the members at once; the group's keeper (group.h) then makes and deletes
 * instances until both agree.
 */
#ifndef EMU_MEMBER_H
#define EMU_MEMBER_H

#include <stddef.h>
#include <stdint.h>

#include "instance.h"
#include "lib/auto.h"
#include "store.h"

enum { EMU_MEMBER_ERROR_MAX = 400 };

struct emu_member {
    char zone[EMU_INSTANCE_NAME_MAX + 1];
    char name[EMU_INSTANCE_NAME_MAX + 1];
    char action[16];                      /* "RECREATING", "" */
    char error[EMU_MEMBER_ERROR_MAX + 1]; /* why the last attempt to make it failed; "" */
    uint64_t instance;                    /* the id of its instance; 0: it has none */
    char status[24];                      /* of the instance */
    bool leaving;                         /* the instance is to go: it is no member any more */
};

struct emu_members {
    struct emu_member *list;
    size_t count;
};

void emu_members_clear(struct emu_members *members);
#define auto_members VMCP_AUTO(emu_members_clear)

/* The members of a group, and its instances that are to go, by zone and name. */
VMCP_MUST_CHECK int emu_members_read(struct emu_store *store, uint64_t manager,
                                     struct emu_members *ret, struct vmcp_error *err);

VMCP_MUST_CHECK int emu_member_add(struct emu_store *store, uint64_t manager, const char *zone,
                                   const char *name, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_member_remove(struct emu_store *store, uint64_t manager, const char *zone,
                                      const char *name, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_member_remove_all(struct emu_store *store, uint64_t manager,
                                          struct vmcp_error *err);
/* Note what it waits for, and why it has no instance. */
VMCP_MUST_CHECK int emu_member_note(struct emu_store *store, uint64_t manager, const char *zone,
                                    const char *name, const char *action, const char *error,
                                    struct vmcp_error *err);

#endif
