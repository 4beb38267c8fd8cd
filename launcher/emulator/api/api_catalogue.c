/* SPDX-License-Identifier: Apache-2.0 */
/* What is there to choose from: the project, zones, regions, machine types. */
#include <stdio.h>
#include <string.h>

#include "base/ref.h"
#include "list.h"
#include "methods.h"
#include "resources/fingerprint.h"
#include "resources/machine_types.h"
#include "resources/zones.h"

int emu_projects_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    struct emu_cloud *cloud = call->cloud;
    struct vmcp_error err = {0};
    json_t *quotas = NULL;
    if (emu_quota_list(cloud, NULL, &quotas, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:s, s:o}, s:o}", "kind", "compute#project",
        "id", cloud->number, "creationTimestamp", "2024-01-01T00:00:00.000+00:00", "name",
        cloud->project, "defaultServiceAccount", cloud->default_account, "defaultNetworkTier",
        "PREMIUM", "xpnProjectStatus", "UNSPECIFIED_XPN_PROJECT_STATUS", "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s", cloud->project), "commonInstanceMetadata",
        "kind", "compute#metadata", "fingerprint", emu_fingerprint(NULL), "quotas", quotas);
    return 0;
}

int emu_zones_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *zone = call->req->segments[1];
    if (!emu_zone_exists(zone))
        return emu_call_not_found(why, "projects/%s/zones/%.100s", call->project, zone);
    *ret = emu_zone_resource(call->project, zone);
    return 0;
}

int emu_zones_list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    for (size_t i = 0; emu_zone_at(i); i++)
        json_array_append_new(items, emu_zone_resource(call->project, emu_zone_at(i)));
    return emu_list_answer(call, "compute#zoneList", items, ret, why);
}

static json_t *region_resource(struct emu_call *call, const char *region, json_t *quotas)
{
    json_t *zones = json_array();
    char of_zone[EMU_ZONE_MAX + 1];
    const char *zone = NULL;
    int id = 0;
    for (size_t i = 0; (zone = emu_zone_at(i)); i++) {
        emu_zone_region(zone, of_zone);
        if (strcmp(of_zone, region) != 0)
            continue;
        id = 1000 + 10 * (int)(i + 1);
        json_array_append_new(
            zones, json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", call->project, zone));
    }
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b}", "kind", "compute#region", "id",
        json_sprintf("%d", id), "creationTimestamp", "1969-12-31T16:00:00.000-08:00", "name",
        region, "description", region, "status", "UP", "zones", zones, "quotas", quotas, "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/regions/%s", call->project, region),
        "supportsPzs", 0);
}

static int make_region(struct emu_call *call, const char *region, json_t **ret,
                       struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    json_t *quotas = NULL;
    if (emu_quota_list(call->cloud, region, &quotas, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = region_resource(call, region, quotas);
    return 0;
}

int emu_regions_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *region = call->req->segments[1];
    if (!emu_region_exists(region))
        return emu_call_not_found(why, "projects/%s/regions/%.100s", call->project, region);
    return make_region(call, region, ret, why);
}

int emu_regions_list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    char region[EMU_ZONE_MAX + 1], last[EMU_ZONE_MAX + 1] = "";
    for (size_t i = 0; emu_zone_at(i); i++) {
        json_t *item = NULL;
        emu_zone_region(emu_zone_at(i), region);
        if (strcmp(region, last) == 0) /* zones of a region stand together */
            continue;
        snprintf(last, sizeof(last), "%s", region);
        int rc = make_region(call, region, &item, why);
        if (rc < 0)
            return rc;
        json_array_append_new(items, item);
    }
    return emu_list_answer(call, "compute#regionList", items, ret, why);
}

int emu_machine_types_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[2];
    struct emu_machine_type type;
    char rule[160];
    if (emu_machine_type_find(name, &type, rule, sizeof(rule))) {
        *ret = emu_machine_type_resource(&type, call->project, call->zone);
        return 0;
    }
    if (rule[0]) /* a custom name that breaks the rules */
        return emu_refuse_field(why, "machineType", name, "%s", rule);
    return emu_call_not_found(why, "projects/%s/zones/%s/machineTypes/%.100s", call->project,
                              call->zone, name);
}
