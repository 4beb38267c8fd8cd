/* SPDX-License-Identifier: Apache-2.0 */
#include "resource.h"

#include <stdio.h>
#include <string.h>

#include "base/ref.h"
#include "lib/json.h"

#define COLUMNS "id, collection, scope, name, body"

void emu_resource_clear(struct emu_resource *resource)
{
    json_decref(resource->body);
    *resource = (struct emu_resource){0};
}

const char *emu_resource_link(const struct emu_resource *resource)
{
    const char *link = json_string_value(json_object_get(resource->body, "selfLink"));
    return link ? link : "";
}

const char *emu_resource_path(const struct emu_resource *resource)
{
    const char *link = emu_resource_link(resource);
    return *link ? link + strlen(EMU_COMPUTE_BASE "/") : "";
}

int emu_resource_insert(struct emu_store *store, const struct emu_resource *resource,
                        struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(resource->body, NULL);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a resource");
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO resource (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5)", "itttt",
                         (int64_t)resource->id, resource->collection, resource->scope,
                         resource->name, text);
}

int emu_resource_save(struct emu_store *store, const struct emu_resource *resource,
                      struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(resource->body, NULL);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a resource");
    return emu_store_run(store, NULL, NULL, err, "UPDATE resource SET body = ?2 WHERE id = ?1",
                         "it", (int64_t)resource->id, text);
}

int emu_resource_delete(struct emu_store *store, uint64_t id, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err, "DELETE FROM resource WHERE id = ?1", "i",
                         (int64_t)id);
}

struct reading {
    emu_resource_each_fn each; /* NULL: keep the row in `one` */
    void *arg;
    struct emu_resource *one;
    struct vmcp_error *err;
};

static int read_row(void *arg, sqlite3_stmt *row)
{
    struct reading *reading = arg;
    auto_resource struct emu_resource resource = {.id = (uint64_t)sqlite3_column_int64(row, 0)};
    snprintf(resource.collection, sizeof(resource.collection), "%s", emu_store_text(row, 1));
    snprintf(resource.scope, sizeof(resource.scope), "%s", emu_store_text(row, 2));
    snprintf(resource.name, sizeof(resource.name), "%s", emu_store_text(row, 3));
    const char *text = emu_store_text(row, 4);
    int rc = vmcp_json_parse_object(text, strlen(text), &resource.body, reading->err);
    if (rc < 0)
        return rc;
    if (reading->each)
        return reading->each(reading->arg, &resource);
    *reading->one = resource;
    resource = (struct emu_resource){0};
    return 0;
}

int emu_resource_find(struct emu_store *store, const char *collection, const char *scope,
                      const char *name_or_id, struct emu_resource *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_resource){0};
    if (name_or_id[0] >= '1' && name_or_id[0] <= '9')
        return emu_store_run(store, read_row, &reading, err,
                             "SELECT " COLUMNS " FROM resource WHERE collection = ?1 AND scope = ?2"
                             " AND id = CAST(?3 AS INTEGER)",
                             "ttt", collection, scope, name_or_id);
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM resource WHERE collection = ?1 AND scope = ?2"
                         " AND name = ?3",
                         "ttt", collection, scope, name_or_id);
}

int emu_resource_by_id(struct emu_store *store, uint64_t id, struct emu_resource *ret,
                       struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_resource){0};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM resource WHERE id = ?1", "i", (int64_t)id);
}

int emu_resource_each(struct emu_store *store, const char *collection, const char *scope,
                      emu_resource_each_fn each, void *arg, struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM resource WHERE collection = ?1"
                         " AND (?2 IS NULL OR scope = ?2) ORDER BY scope, name",
                         "tt", collection, scope);
}
