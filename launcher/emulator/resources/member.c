/* SPDX-License-Identifier: Apache-2.0 */
#include "member.h"

#include <stdio.h>
#include <stdlib.h>

struct reading {
    struct emu_members *members;
    struct vmcp_error *err;
    bool leaving;
};

void emu_members_clear(struct emu_members *members)
{
    free(members->list);
    *members = (struct emu_members){0};
}

static int read_row(void *arg, sqlite3_stmt *row)
{
    struct reading *reading = arg;
    struct emu_members *members = reading->members;
    struct emu_member *grown =
        realloc(members->list, (members->count + 1) * sizeof(*members->list));
    if (!grown)
        return vmcp_fail(reading->err, VMCP_E_NO_MEMORY, "no memory for a group's members");
    members->list = grown;
    struct emu_member *member = &members->list[members->count++];
    *member = (struct emu_member){.instance = (uint64_t)sqlite3_column_int64(row, 4),
                                  .leaving = reading->leaving};
    snprintf(member->zone, sizeof(member->zone), "%s", emu_store_text(row, 0));
    snprintf(member->name, sizeof(member->name), "%s", emu_store_text(row, 1));
    snprintf(member->action, sizeof(member->action), "%s", emu_store_text(row, 2));
    snprintf(member->error, sizeof(member->error), "%s", emu_store_text(row, 3));
    snprintf(member->status, sizeof(member->status), "%s", emu_store_text(row, 5));
    return 0;
}

int emu_members_read(struct emu_store *store, uint64_t manager, struct emu_members *ret,
                     struct vmcp_error *err)
{
    struct reading reading = {.members = ret, .err = err};
    int rc = emu_store_run(store, read_row, &reading, err,
                           "SELECT m.zone, m.name, m.action, m.error, i.id, i.status"
                           " FROM member AS m LEFT JOIN instance AS i"
                           " ON i.zone = m.zone AND i.name = m.name AND i.manager = m.manager"
                           " WHERE m.manager = ?1 ORDER BY m.zone, m.name",
                           "i", (int64_t)manager);
    if (rc < 0)
        return rc;
    reading.leaving = true;
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT i.zone, i.name, '', '', i.id, i.status"
                         " FROM instance AS i LEFT JOIN member AS m"
                         " ON i.zone = m.zone AND i.name = m.name AND i.manager = m.manager"
                         " WHERE i.manager = ?1 AND i.manager <> 0 AND m.name IS NULL"
                         " ORDER BY i.zone, i.name",
                         "i", (int64_t)manager);
}

int emu_member_add(struct emu_store *store, uint64_t manager, const char *zone, const char *name,
                   struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO member (manager, zone, name, action, error)"
                         " VALUES (?1, ?2, ?3, '', '')",
                         "itt", (int64_t)manager, zone, name);
}

int emu_member_remove(struct emu_store *store, uint64_t manager, const char *zone, const char *name,
                      struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err,
                         "DELETE FROM member WHERE manager = ?1 AND zone = ?2 AND name = ?3", "itt",
                         (int64_t)manager, zone, name);
}

int emu_member_remove_all(struct emu_store *store, uint64_t manager, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err, "DELETE FROM member WHERE manager = ?1", "i",
                         (int64_t)manager);
}

int emu_member_note(struct emu_store *store, uint64_t manager, const char *zone, const char *name,
                    const char *action, const char *error, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err,
                         "UPDATE member SET action = ?4, error = ?5"
                         " WHERE manager = ?1 AND zone = ?2 AND name = ?3",
                         "itttt", (int64_t)manager, zone, name, action, error);
}
