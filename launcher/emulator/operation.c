/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "instance.h"
#include "lib/json.h"
#include "ref.h"

#define COLUMNS "id, name, target, resource"

void emu_operation_clear(struct emu_operation *operation)
{
    json_decref(operation->resource);
    *operation = (struct emu_operation){0};
}

const char *emu_operation_type(const struct emu_operation *operation)
{
    const char *type = json_string_value(json_object_get(operation->resource, "operationType"));
    return type ? type : "";
}

bool emu_operation_is(const struct emu_operation *operation, const char *status)
{
    const char *now = json_string_value(json_object_get(operation->resource, "status"));
    return now && strcmp(now, status) == 0;
}

/* operation-<ms>-<hex>-<hex>-<hex>, as Google's are named. */
static int make_name(char ret[static EMU_OPERATION_NAME_MAX + 1], struct vmcp_error *err)
{
    uint32_t random[4];
    if (RAND_bytes((unsigned char *)random, sizeof(random)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random bytes for a name");
    snprintf(ret, EMU_OPERATION_NAME_MAX + 1, "operation-%lld-%08x%05x-%08x-%08x",
             (long long)emu_clock_ms(), random[0], random[1] & 0xfffffU, random[2], random[3]);
    return 0;
}

static json_t *new_resource(const struct emu_operation_spec *spec, uint64_t id, const char *name)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    return json_pack(
        "{s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:s, s:s, s:i, s:s, s:s*, s:o}", "kind",
        "compute#operation", "id", json_sprintf("%llu", (unsigned long long)id), "name", name,
        "zone", json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", spec->project, spec->zone),
        "operationType", spec->type, "targetLink", spec->target, "targetId",
        json_sprintf("%llu", (unsigned long long)spec->target_id), "status", "PENDING", "user",
        spec->user, "progress", 0, "insertTime", now, "clientOperationId", spec->request_id,
        "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/operations/%s", spec->project,
                     spec->zone, name));
}

int emu_operation_begin(struct emu_store *store, const struct emu_operation_spec *spec,
                        struct emu_operation *ret, struct vmcp_error *err)
{
    auto_operation struct emu_operation op = {.target = spec->target_id};
    int rc = emu_id_make(&op.id, err);
    if (rc == 0)
        rc = make_name(op.name, err);
    if (rc < 0)
        return rc;
    op.resource = new_resource(spec, op.id, op.name);
    auto_free char *text = op.resource ? vmcp_json_text(op.resource, NULL) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an operation");
    rc = emu_store_run(store, NULL, NULL, err,
                       "INSERT INTO operation (id, name, scope, method, request_id, target, status,"
                       " resource) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'PENDING', ?7)",
                       "ittttit", (int64_t)op.id, op.name, spec->zone, spec->type, spec->request_id,
                       (int64_t)op.target, text);
    if (rc < 0)
        return rc;
    *ret = op;
    op = (struct emu_operation){0};
    return 0;
}

struct reading {
    emu_operation_each_fn each; /* NULL: keep the row in `one` */
    void *arg;
    struct emu_operation *one;
    struct vmcp_error *err;
};

static int read_row(void *arg, sqlite3_stmt *row)
{
    struct reading *reading = arg;
    auto_operation struct emu_operation op = {
        .id = (uint64_t)sqlite3_column_int64(row, 0),
        .target = (uint64_t)sqlite3_column_int64(row, 2),
    };
    snprintf(op.name, sizeof(op.name), "%s", emu_store_text(row, 1));
    const char *text = emu_store_text(row, 3);
    int rc = vmcp_json_parse_object(text, strlen(text), &op.resource, reading->err);
    if (rc < 0)
        return rc;
    if (reading->each)
        return reading->each(reading->arg, &op);
    *reading->one = op;
    op = (struct emu_operation){0};
    return 0;
}

int emu_operation_find(struct emu_store *store, const char *zone, const char *name_or_id,
                       struct emu_operation *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_operation){0};
    if (name_or_id[0] >= '1' && name_or_id[0] <= '9')
        return emu_store_run(store, read_row, &reading, err,
                             "SELECT " COLUMNS " FROM operation"
                             " WHERE scope = ?1 AND id = CAST(?2 AS INTEGER)",
                             "tt", zone, name_or_id);
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE scope = ?1 AND name = ?2", "tt",
                         zone, name_or_id);
}

int emu_operation_replay(struct emu_store *store, const char *zone, const char *type,
                         const char *request_id, struct emu_operation *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_operation){0};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation"
                         " WHERE scope = ?1 AND method = ?2 AND request_id = ?3",
                         "ttt", zone, type, request_id);
}

int emu_operation_by_id(struct emu_store *store, uint64_t id, struct emu_operation *ret,
                        struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_operation){0};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE id = ?1", "i", (int64_t)id);
}

static int save(struct emu_store *store, const struct emu_operation *op, const char *status,
                struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(op->resource, NULL);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an operation");
    return emu_store_run(store, NULL, NULL, err,
                         "UPDATE operation SET status = ?2, resource = ?3 WHERE id = ?1", "itt",
                         (int64_t)op->id, status, text);
}

static void set(struct emu_operation *op, const char *status, int progress, const char *time_member)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_object_set_new(op->resource, "status", json_string(status));
    json_object_set_new(op->resource, "progress", json_integer(progress));
    json_object_set_new(op->resource, time_member, json_string(now));
}

int emu_operation_run(struct emu_store *store, struct emu_operation *operation,
                      struct vmcp_error *err)
{
    set(operation, "RUNNING", 0, "startTime");
    return save(store, operation, "RUNNING", err);
}

int emu_operation_finish(struct emu_store *store, struct emu_operation *operation,
                         const struct vmcp_error *error, struct vmcp_error *err)
{
    set(operation, "DONE", 100, "endTime");
    if (error) {
        json_object_set_new(operation->resource, "httpErrorStatusCode", json_integer(500));
        json_object_set_new(operation->resource, "httpErrorMessage",
                            json_string("INTERNAL SERVER ERROR"));
        json_object_set_new(operation->resource, "error",
                            json_pack("{s:[{s:s, s:o}]}", "errors", "code", "INTERNAL_ERROR",
                                      "message", json_sprintf("%s", error->text)));
    }
    return save(store, operation, "DONE", err);
}

int emu_operation_each_open(struct emu_store *store, emu_operation_each_fn each, void *arg,
                            struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE status <> 'DONE' ORDER BY seq",
                         "");
}

int emu_operation_each(struct emu_store *store, const char *zone, emu_operation_each_fn each,
                       void *arg, struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE scope = ?1 ORDER BY seq", "t",
                         zone);
}
