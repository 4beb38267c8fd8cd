/* SPDX-License-Identifier: Apache-2.0 */
#include "guest_attributes.h"

#include <string.h>
#include <strings.h>

static const json_t *switch_of(const json_t *tree, const char *whose)
{
    return json_object_get(json_object_get(json_object_get(tree, whose), "attributes"),
                           "enable-guest-attributes");
}

bool emu_guest_attributes_enabled(const json_t *tree)
{
    const json_t *value = switch_of(tree, "instance");
    if (!value)
        value = switch_of(tree, "project");
    return json_is_string(value) && strcasecmp(json_string_value(value), "true") == 0;
}

bool emu_guest_attribute_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".-_";
    size_t len = strlen(name);
    return len > 0 && len <= EMU_GUEST_NAME_MAX && strspn(name, allowed) == len &&
           strspn(name, ".") != len;
}

static int read_size(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

int emu_guest_attribute_put(struct emu_store *store, uint64_t instance, const char *space,
                            const char *key, const char *value, struct vmcp_error *err)
{
    int64_t others = 0;
    int rc = emu_store_run(store, read_size, &others, err,
                           "SELECT coalesce(sum(length(namespace) + length(key) +"
                           " length(CAST(value AS BLOB))), 0) FROM guest_attribute"
                           " WHERE instance = ?1 AND NOT (namespace = ?2 AND key = ?3)",
                           "itt", (int64_t)instance, space, key);
    if (rc < 0)
        return rc;
    if (others + (int64_t)(strlen(space) + strlen(key) + strlen(value)) > EMU_GUEST_TOTAL_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT,
                         "the guest attributes of an instance have at most %d bytes in all",
                         EMU_GUEST_TOTAL_MAX);
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO guest_attribute (instance, namespace, key, value)"
                         " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (instance, namespace, key)"
                         " DO UPDATE SET value = ?4",
                         "ittt", (int64_t)instance, space, key, value);
}

static int note_found(void *arg, sqlite3_stmt *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

int emu_guest_attribute_delete(struct emu_store *store, uint64_t instance, const char *space,
                               const char *key, bool *ret_found, struct vmcp_error *err)
{
    *ret_found = false;
    return emu_store_run(store, note_found, ret_found, err,
                         "DELETE FROM guest_attribute WHERE instance = ?1 AND namespace = ?2"
                         " AND key = ?3 RETURNING 1",
                         "itt", (int64_t)instance, space, key);
}

int emu_guest_attributes_drop(struct emu_store *store, uint64_t instance, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err, "DELETE FROM guest_attribute WHERE instance = ?1",
                         "i", (int64_t)instance);
}

struct loading {
    json_t *all;
    struct vmcp_error *err;
};

static int add_row(void *arg, sqlite3_stmt *row)
{
    const struct loading *loading = arg;
    const char *space = emu_store_text(row, 0);
    json_t *keys = json_object_get(loading->all, space);
    if (!keys && json_object_set_new(loading->all, space, json_object()) == 0)
        keys = json_object_get(loading->all, space);
    if (json_object_set_new(keys, emu_store_text(row, 1), json_string(emu_store_text(row, 2))) < 0)
        return vmcp_fail(loading->err, VMCP_E_NO_MEMORY, "no memory for guest attributes");
    return 0;
}

int emu_guest_attributes_load(struct emu_store *store, uint64_t instance, json_t **ret,
                              struct vmcp_error *err)
{
    json_auto_t *all = json_object();
    struct loading loading = {.all = all, .err = err};
    if (!all)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for guest attributes");
    int rc = emu_store_run(store, add_row, &loading, err,
                           "SELECT namespace, key, value FROM guest_attribute"
                           " WHERE instance = ?1 ORDER BY namespace, key",
                           "i", (int64_t)instance);
    if (rc == 0)
        *ret = steal(&all);
    return rc;
}
