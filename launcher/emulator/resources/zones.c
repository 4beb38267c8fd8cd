/* SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

#include <stdio.h>
#include <string.h>

#include "base/ref.h"

static const struct {
    const char *name;
    int id;
} zones[] = {
    {"asia-east1-a", 2221},      {"asia-east1-b", 2220},      {"asia-east1-c", 2222},
    {"asia-northeast1-a", 2250}, {"asia-northeast1-b", 2251}, {"asia-northeast1-c", 2252},
    {"europe-west1-b", 2300},    {"europe-west1-c", 2301},    {"europe-west1-d", 2302},
    {"europe-west4-a", 2310},    {"europe-west4-b", 2311},    {"europe-west4-c", 2312},
    {"us-central1-a", 2000},     {"us-central1-b", 2001},     {"us-central1-c", 2002},
    {"us-central1-f", 2004},     {"us-east1-b", 2231},        {"us-east1-c", 2233},
    {"us-east1-d", 2234},        {"us-west1-a", 2270},        {"us-west1-b", 2271},
    {"us-west1-c", 2272},
};

enum { ZONE_COUNT = sizeof(zones) / sizeof(zones[0]) };

const char *emu_zone_at(size_t index)
{
    return index < ZONE_COUNT ? zones[index].name : NULL;
}

static size_t find(const char *zone)
{
    size_t i = 0;
    while (i < ZONE_COUNT && strcmp(zones[i].name, zone) != 0)
        i++;
    return i;
}

bool emu_zone_exists(const char *zone)
{
    return find(zone) < ZONE_COUNT;
}

bool emu_region_exists(const char *region)
{
    for (size_t i = 0; i < ZONE_COUNT; i++) {
        char of_zone[EMU_ZONE_MAX + 1];
        emu_zone_region(zones[i].name, of_zone);
        if (strcmp(of_zone, region) == 0)
            return true;
    }
    return false;
}

void emu_zone_region(const char *zone, char ret[static EMU_ZONE_MAX + 1])
{
    const char *dash = strrchr(zone, '-');
    snprintf(ret, EMU_ZONE_MAX + 1, "%.*s", dash ? (int)(dash - zone) : 0, zone);
}

json_t *emu_zone_resource(const char *project, const char *zone)
{
    size_t i = find(zone);
    if (i == ZONE_COUNT)
        return NULL;
    char region[EMU_ZONE_MAX + 1];
    emu_zone_region(zone, region);
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:[s,s,s,s], s:b}", "kind", "compute#zone", "id",
        json_sprintf("%d", zones[i].id), "creationTimestamp", "1969-12-31T16:00:00.000-08:00",
        "name", zone, "description", zone, "status", "UP", "region",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/regions/%s", project, region), "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", project, zone),
        "availableCpuPlatforms", "Intel Broadwell", "Intel Cascade Lake", "Intel Ice Lake",
        "AMD Rome", "supportsPzs", 0);
}
