/* SPDX-License-Identifier: Apache-2.0 */
#include "quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "cloud.h"
#include "zones.h"

static const char *const names[EMU_METRIC_COUNT] = {
    "CPUS", "INSTANCES", "DISKS_TOTAL_GB", "SSD_TOTAL_GB", "IN_USE_ADDRESSES", "CPUS_ALL_REGIONS",
};

static int read_one(const char *option, struct emu_quotas *ret, struct vmcp_error *err)
{
    const char *equals = strchr(option, '=');
    size_t len = equals ? (size_t)(equals - option) : 0;
    char *end = NULL;
    errno = 0;
    long long limit = equals ? strtoll(equals + 1, &end, 10) : -1;
    if (!len || end == equals + 1 || *end || errno || limit < 0 || limit > EMU_NO_QUOTA)
        return vmcp_fail_at(err, VMCP_E_USAGE, option, "--quota wants NAME=NUMBER, like CPUS=8");
    for (int i = 0; i < EMU_METRIC_COUNT; i++) {
        if (strlen(names[i]) != len || strncmp(names[i], option, len) != 0)
            continue;
        ret->limits[i] = limit;
        return 0;
    }
    return vmcp_fail_at(err, VMCP_E_USAGE, option,
                        "there is no such quota here; there are CPUS, CPUS_ALL_REGIONS, INSTANCES, "
                        "DISKS_TOTAL_GB, SSD_TOTAL_GB and IN_USE_ADDRESSES");
}

int emu_quotas_read(const struct vmcp_list *options, struct emu_quotas *ret, struct vmcp_error *err)
{
    for (int i = 0; i < EMU_METRIC_COUNT; i++)
        ret->limits[i] = EMU_NO_QUOTA;
    for (size_t i = 0; i < options->count; i++) {
        int rc = read_one(options->items[i], ret, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_sum(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

/* What counts: instances that are not stopped have CPUs and addresses, disks have their size. */
static int measure(struct emu_store *store, enum emu_metric metric, const char *region,
                   int64_t *ret, struct vmcp_error *err)
{
    char zones[EMU_ZONE_MAX + 16];
    snprintf(zones, sizeof(zones), metric == EMU_CPUS_ALL_REGIONS ? "%%" : "%s-_", region);
    char scopes[sizeof(zones) + 8];
    snprintf(scopes, sizeof(scopes), "zones/%s", zones);
    *ret = 0;
    switch (metric) {
    case EMU_CPUS:
    case EMU_CPUS_ALL_REGIONS:
        return emu_store_run(store, read_sum, ret, err,
                             "SELECT total(cpus) FROM instance WHERE zone LIKE ?1"
                             " AND status NOT IN ('TERMINATED', 'SUSPENDED')",
                             "t", zones);
    case EMU_INSTANCES:
        return emu_store_run(store, read_sum, ret, err,
                             "SELECT count(*) FROM instance WHERE zone LIKE ?1", "t", zones);
    case EMU_IN_USE_ADDRESSES:
        return emu_store_run(
            store, read_sum, ret, err,
            "SELECT count(json_extract(resource, '$.networkInterfaces[0].accessConfigs[0].natIP'))"
            " FROM instance WHERE zone LIKE ?1 AND status NOT IN ('TERMINATED', 'SUSPENDED')",
            "t", zones);
    case EMU_DISKS_TOTAL_GB:
        return emu_store_run(store, read_sum, ret, err,
                             "SELECT total(json_extract(body, '$.sizeGb')) FROM resource"
                             " WHERE collection = 'disks' AND scope LIKE ?1"
                             " AND json_extract(body, '$.type') LIKE '%/pd-standard'",
                             "t", scopes);
    default:
        return emu_store_run(store, read_sum, ret, err,
                             "SELECT total(json_extract(body, '$.sizeGb')) FROM resource"
                             " WHERE collection = 'disks' AND scope LIKE ?1"
                             " AND json_extract(body, '$.type') NOT LIKE '%/pd-standard'",
                             "t", scopes);
    }
}

/* Room for `more` of it in the zone's region? */
static int check(struct emu_cloud *cloud, enum emu_metric metric, const char *zone, int64_t more,
                 struct emu_refusal *why)
{
    int64_t limit = cloud->quotas.limits[metric], used = 0;
    char region[EMU_ZONE_MAX + 1];
    struct vmcp_error err = {0};
    if (limit == EMU_NO_QUOTA || more == 0)
        return 0;
    emu_zone_region(zone, region);
    if (measure(cloud->store, metric, region, &used, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (used + more <= limit)
        return 0;
    bool global = metric == EMU_CPUS_ALL_REGIONS;
    return emu_refuse(why, 403, "quotaExceeded", "Quota '%s' exceeded.  Limit: %lld.0 %s%s.",
                      names[metric], (long long)limit, global ? "globally" : "in region ",
                      global ? "" : region);
}

int emu_quota_check_disk(struct emu_cloud *cloud, const char *zone, const json_t *disk,
                         int64_t more, struct emu_refusal *why)
{
    const char *type = emu_text_at(disk, "type");
    const char *slash = type ? strrchr(type, '/') : NULL;
    bool standard = slash && strcmp(slash, "/pd-standard") == 0;
    return check(cloud, standard ? EMU_DISKS_TOTAL_GB : EMU_SSD_TOTAL_GB, zone,
                 more ? more : emu_int64_at(disk, "sizeGb"), why);
}

static int64_t addresses(const struct emu_instance *instance)
{
    const json_t *nic = json_array_get(json_object_get(instance->resource, "networkInterfaces"), 0);
    return (int64_t)json_array_size(json_object_get(nic, "accessConfigs"));
}

int emu_quota_check_start(struct emu_cloud *cloud, const struct emu_instance *instance,
                          struct emu_refusal *why)
{
    int rc = check(cloud, EMU_CPUS, instance->zone, instance->cpus, why);
    if (rc == 0)
        rc = check(cloud, EMU_CPUS_ALL_REGIONS, instance->zone, instance->cpus, why);
    if (rc == 0)
        rc = check(cloud, EMU_IN_USE_ADDRESSES, instance->zone, addresses(instance), why);
    return rc;
}

int emu_quota_check_instance(struct emu_cloud *cloud, const char *zone,
                             const struct emu_instance *instance, struct emu_refusal *why)
{
    size_t i = 0;
    json_t *disk = NULL;
    int64_t standard = 0, ssd = 0;
    int rc = emu_quota_check_start(cloud, instance, why);
    if (rc == 0)
        rc = check(cloud, EMU_INSTANCES, zone, 1, why);
    json_array_foreach(instance->new_disks, i, disk)
    {
        const char *type = emu_text_at(disk, "type");
        bool slow = type && strcmp(strrchr(type, '/'), "/pd-standard") == 0;
        *(slow ? &standard : &ssd) += emu_int64_at(disk, "sizeGb");
    }
    if (rc == 0)
        rc = check(cloud, EMU_DISKS_TOTAL_GB, zone, standard, why);
    if (rc == 0)
        rc = check(cloud, EMU_SSD_TOTAL_GB, zone, ssd, why);
    return rc;
}

int emu_quota_list(struct emu_cloud *cloud, const char *region, json_t **ret,
                   struct vmcp_error *err)
{
    json_auto_t *list = json_array();
    for (int i = 0; i < EMU_METRIC_COUNT; i++) {
        int64_t used = 0;
        if ((i == EMU_CPUS_ALL_REGIONS) == (region != NULL))
            continue;
        int rc = measure(cloud->store, (enum emu_metric)i, region ? region : "", &used, err);
        if (rc < 0)
            return rc;
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f}", "metric", names[i], "limit",
                                        (double)cloud->quotas.limits[i], "usage", (double)used));
    }
    *ret = steal(&list);
    return 0;
}
