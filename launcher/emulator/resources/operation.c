/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "instance.h"
#include "lib/json.h"

#define COLUMNS "id, name, target, collection, fault, resource"

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
    json_t *made =
        json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:s, s:i, s:s, s:s*, s:o}", "kind",
                  "compute#operation", "id", json_sprintf("%llu", (unsigned long long)id), "name",
                  name, "operationType", spec->type, "targetLink", spec->target, "targetId",
                  json_sprintf("%llu", (unsigned long long)spec->target_id), "status", "PENDING",
                  "user", spec->user, "progress", 0, "insertTime", now, "clientOperationId",
                  spec->request_id, "selfLink",
                  json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s/operations/%s", spec->project,
                               spec->scope, name));
    const char *place = strncmp(spec->scope, "zones/", 6) == 0     ? "zone"
                        : strncmp(spec->scope, "regions/", 8) == 0 ? "region"
                                                                   : NULL;
    if (made && place)
        json_object_set_new(
            made, place,
            json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s", spec->project, spec->scope));
    if (made && spec->batch)
        json_object_set_new(made, "operationGroupId",
                            json_sprintf("%llu", (unsigned long long)spec->batch));
    return made;
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
    snprintf(op.collection, sizeof(op.collection), "%s", spec->collection);
    snprintf(op.fault, sizeof(op.fault), "%s", spec->fault ? spec->fault : "");
    op.resource = new_resource(spec, op.id, op.name);
    auto_free char *text = op.resource ? vmcp_json_text(op.resource, NULL) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an operation");
    rc = emu_store_run(store, NULL, NULL, err,
                       "INSERT INTO operation (id, name, scope, method, request_id, target, status,"
                       " resource, collection, batch, fault)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'PENDING', ?7, ?8, ?9, ?10)",
                       "ittttittit", (int64_t)op.id, op.name, spec->scope, spec->method,
                       spec->request_id, (int64_t)op.target, text, spec->collection,
                       (int64_t)spec->batch, op.fault);
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
    snprintf(op.collection, sizeof(op.collection), "%s", emu_store_text(row, 3));
    snprintf(op.fault, sizeof(op.fault), "%s", emu_store_text(row, 4));
    const char *text = emu_store_text(row, 5);
    int rc = vmcp_json_parse_object(text, strlen(text), &op.resource, reading->err);
    if (rc < 0)
        return rc;
    if (reading->each)
        return reading->each(reading->arg, &op);
    *reading->one = op;
    op = (struct emu_operation){0};
    return 0;
}

int emu_operation_find(struct emu_store *store, const char *scope, const char *name_or_id,
                       struct emu_operation *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_operation){0};
    if (name_or_id[0] >= '1' && name_or_id[0] <= '9')
        return emu_store_run(store, read_row, &reading, err,
                             "SELECT " COLUMNS " FROM operation"
                             " WHERE scope = ?1 AND id = CAST(?2 AS INTEGER)",
                             "tt", scope, name_or_id);
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE scope = ?1 AND name = ?2", "tt",
                         scope, name_or_id);
}

int emu_operation_replay(struct emu_store *store, const char *scope, const char *method,
                         const char *request_id, struct emu_operation *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_operation){0};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation"
                         " WHERE scope = ?1 AND method = ?2 AND request_id = ?3",
                         "ttt", scope, method, request_id);
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

/* Why a zone had no room, as Google tells machines. */
static json_t *stockout_details(const struct emu_operation *op)
{
    const char *link = json_string_value(json_object_get(op->resource, "zone"));
    const char *zone = link ? strrchr(link, '/') : NULL;
    return json_pack("[{s:{s:s, s:s, s:{s:s, s:s, s:s, s:s}}}]", "errorInfo", "reason",
                     "resource_availability", "domain", "compute.googleapis.com", "metadatas",
                     "vmType", "", "zone", zone ? zone + 1 : "", "zonesAvailable", "", "attachment",
                     "");
}

static void set_failure(struct emu_operation *op, const struct emu_failure *failure)
{
    json_t *error = json_pack("{s:s, s:s}", "code", failure->code, "message", failure->message);
    if (error && strncmp(failure->code, "ZONE_RESOURCE_POOL", 18) == 0)
        json_object_set_new(error, "errorDetails", stockout_details(op));
    json_object_set_new(op->resource, "httpErrorStatusCode", json_integer(failure->status));
    json_object_set_new(op->resource, "httpErrorMessage", json_string(failure->summary));
    json_object_set_new(op->resource, "error", json_pack("{s:[o]}", "errors", error));
}

/* What is over is not kept for ever: memory stays bounded. Usually there is one to forget, or none.
 */
static int forget_old(struct emu_store *store, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err,
                         "DELETE FROM operation WHERE status = 'DONE'"
                         " AND seq <= (SELECT max(seq) FROM operation) - ?1",
                         "i", (int64_t)EMU_OPERATIONS_KEPT);
}

int emu_operation_finish(struct emu_store *store, struct emu_operation *operation,
                         const struct emu_failure *failure, struct vmcp_error *err)
{
    set(operation, "DONE", 100, "endTime");
    if (failure)
        set_failure(operation, failure);
    int rc = save(store, operation, "DONE", err);
    return rc < 0 ? rc : forget_old(store, err);
}

int emu_operation_delete(struct emu_store *store, uint64_t id, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err, "DELETE FROM operation WHERE id = ?1", "i",
                         (int64_t)id);
}

static int read_two(void *arg, sqlite3_stmt *row)
{
    int64_t *two = arg;
    two[0] = sqlite3_column_int64(row, 0);
    two[1] = sqlite3_column_int64(row, 1);
    return 0;
}

int emu_operation_count_batch(struct emu_store *store, uint64_t batch, int64_t *ret_open,
                              int64_t *ret_failed, struct vmcp_error *err)
{
    int64_t two[2] = {0};
    int rc = emu_store_run(store, read_two, two, err,
                           "SELECT total(status <> 'DONE'),"
                           " total(json_extract(resource, '$.error') IS NOT NULL)"
                           " FROM operation WHERE batch = ?1 AND target <> ?1",
                           "i", (int64_t)batch);
    *ret_open = two[0];
    *ret_failed = two[1];
    return rc;
}

int emu_operation_each_open(struct emu_store *store, emu_operation_each_fn each, void *arg,
                            struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE status <> 'DONE' ORDER BY seq",
                         "");
}

int emu_operation_each(struct emu_store *store, const char *scope, emu_operation_each_fn each,
                       void *arg, struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM operation WHERE ?1 IS NULL OR scope = ?1"
                         " ORDER BY seq",
                         "t", scope);
}
