/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "lib/json.h"

#define COLUMNS "id, ip, zone, name, image, resource, cpus, manager"

void emu_instance_clear(struct emu_instance *instance)
{
    json_decref(instance->resource);
    json_decref(instance->new_disks);
    *instance = (struct emu_instance){0};
}

const char *emu_instance_status(const struct emu_instance *instance)
{
    const char *status = json_string_value(json_object_get(instance->resource, "status"));
    return status ? status : "";
}

void emu_instance_set_status(struct emu_instance *instance, const char *status)
{
    json_object_set_new(instance->resource, "status", json_string(status));
}

void emu_instance_stamp(struct emu_instance *instance, const char *member)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_object_set_new(instance->resource, member, json_string(now));
}

const char *emu_instance_path(const struct emu_instance *instance)
{
    const char *link = json_string_value(json_object_get(instance->resource, "selfLink"));
    return link ? link + strlen(EMU_COMPUTE_BASE "/") : "";
}

int emu_instance_insert(struct emu_store *store, const struct emu_instance *instance,
                        struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(instance->resource, NULL);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an instance");
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO instance (" COLUMNS ", status)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                         "iittttiit", (int64_t)instance->id, (int64_t)instance->ip, instance->zone,
                         instance->name, instance->image, text, (int64_t)instance->cpus,
                         (int64_t)instance->manager, emu_instance_status(instance));
}

int emu_instance_save(struct emu_store *store, const struct emu_instance *instance,
                      struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(instance->resource, NULL);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an instance");
    return emu_store_run(store, NULL, NULL, err,
                         "UPDATE instance SET status = ?2, resource = ?3, cpus = ?4, manager = ?5"
                         " WHERE id = ?1",
                         "ittii", (int64_t)instance->id, emu_instance_status(instance), text,
                         (int64_t)instance->cpus, (int64_t)instance->manager);
}

int emu_instance_delete(struct emu_store *store, uint64_t id, struct vmcp_error *err)
{
    return emu_store_run(store, NULL, NULL, err, "DELETE FROM instance WHERE id = ?1", "i",
                         (int64_t)id);
}

struct reading {
    emu_instance_each_fn each; /* NULL: keep the row in `one` */
    void *arg;
    struct emu_instance *one;
    struct vmcp_error *err;
};

static int read_row(void *arg, sqlite3_stmt *row)
{
    struct reading *reading = arg;
    auto_instance struct emu_instance instance = {
        .id = (uint64_t)sqlite3_column_int64(row, 0),
        .ip = (uint32_t)sqlite3_column_int64(row, 1),
        .cpus = (int)sqlite3_column_int64(row, 6),
        .manager = (uint64_t)sqlite3_column_int64(row, 7),
    };
    snprintf(instance.zone, sizeof(instance.zone), "%s", emu_store_text(row, 2));
    snprintf(instance.name, sizeof(instance.name), "%s", emu_store_text(row, 3));
    snprintf(instance.image, sizeof(instance.image), "%s", emu_store_text(row, 4));
    const char *text = emu_store_text(row, 5);
    int rc = vmcp_json_parse_object(text, strlen(text), &instance.resource, reading->err);
    if (rc < 0)
        return rc;
    if (reading->each)
        return reading->each(reading->arg, &instance);
    *reading->one = instance;
    instance = (struct emu_instance){0};
    return 0;
}

int emu_instance_find(struct emu_store *store, const char *zone, const char *name_or_id,
                      struct emu_instance *ret, struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_instance){0};
    if (name_or_id[0] >= '1' && name_or_id[0] <= '9')
        return emu_store_run(store, read_row, &reading, err,
                             "SELECT " COLUMNS " FROM instance"
                             " WHERE zone = ?1 AND id = CAST(?2 AS INTEGER)",
                             "tt", zone, name_or_id);
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM instance WHERE zone = ?1 AND name = ?2", "tt",
                         zone, name_or_id);
}

int emu_instance_by_id(struct emu_store *store, uint64_t id, struct emu_instance *ret,
                       struct vmcp_error *err)
{
    struct reading reading = {.one = ret, .err = err};
    *ret = (struct emu_instance){0};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM instance WHERE id = ?1", "i", (int64_t)id);
}

int emu_instance_each(struct emu_store *store, const char *zone, emu_instance_each_fn each,
                      void *arg, struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM instance WHERE ?1 IS NULL OR zone = ?1"
                         " ORDER BY zone, name",
                         "t", zone);
}

int emu_instance_each_of(struct emu_store *store, uint64_t manager, emu_instance_each_fn each,
                         void *arg, struct vmcp_error *err)
{
    struct reading reading = {.each = each, .arg = arg, .err = err};
    return emu_store_run(store, read_row, &reading, err,
                         "SELECT " COLUMNS " FROM instance WHERE manager = ?1 AND manager <> 0"
                         " ORDER BY zone, name",
                         "i", (int64_t)manager);
}

static int read_ip(void *arg, sqlite3_stmt *row)
{
    *(uint32_t *)arg = (uint32_t)sqlite3_column_int64(row, 0);
    return 0;
}

int emu_instance_free_ip(struct emu_store *store, uint32_t subnet, uint32_t *ret,
                         struct vmcp_error *err)
{
    /* The first hole: behind the gateway, or behind a taken address. */
    const int64_t gateway = (int64_t)subnet + 1, end = (int64_t)subnet + EMU_SUBNET_SIZE - 3;
    *ret = 0;
    return emu_store_run(
        store, read_ip, ret, err,
        "SELECT ip + 1 FROM (SELECT ?1 AS ip UNION ALL SELECT ip FROM instance ORDER BY ip) AS a"
        " WHERE a.ip >= ?1 AND NOT EXISTS (SELECT 1 FROM instance AS b WHERE b.ip = a.ip + 1) AND "
        "a.ip < ?2"
        " ORDER BY ip LIMIT 1",
        "ii", gateway, end);
}

int emu_instance_ip_taken(struct emu_store *store, uint32_t ip, bool *ret, struct vmcp_error *err)
{
    uint32_t found = 0;
    int rc = emu_store_run(store, read_ip, &found, err, "SELECT ip FROM instance WHERE ip = ?1",
                           "i", (int64_t)ip);
    *ret = found != 0;
    return rc;
}

int emu_id_make(uint64_t *ret, struct vmcp_error *err)
{
    uint64_t id = 0;
    if (RAND_bytes((unsigned char *)&id, sizeof(id)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random bytes for an id");
    *ret = (id & INT64_MAX) | 1U;
    return 0;
}
