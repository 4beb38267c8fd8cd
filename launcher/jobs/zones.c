/* SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct launch_zones *zones, const char *name, const struct vmcp_zone **ret,
               struct vmcp_error *err)
{
    auto_zone struct vmcp_zone *zone = NULL;
    int rc = vmcp_zone_load(name, &zone, err);
    if (rc < 0)
        return rc;
    struct launch_named_zone *more =
        realloc(zones->items, (zones->count + 1) * sizeof(*zones->items));
    if (!more)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a time zone");
    zones->items = more;
    snprintf(more[zones->count].name, sizeof(more->name), "%s", name);
    *ret = more[zones->count++].zone = steal(&zone);
    return 0;
}

static int find(struct launch_zones *zones, const char *name, const struct vmcp_zone **ret,
                struct vmcp_error *err)
{
    for (size_t i = 0; i < zones->count; i++)
        if (strcmp(zones->items[i].name, name) == 0) {
            *ret = zones->items[i].zone;
            return 0;
        }
    return add(zones, name, ret, err);
}

int launch_zones_find(struct launch_zones *zones, const char *name, const struct vmcp_zone **ret,
                      struct vmcp_error *err)
{
    pthread_mutex_lock(&zones->lock);
    int rc = find(zones, name, ret, err);
    pthread_mutex_unlock(&zones->lock);
    return rc;
}

void launch_zones_clear(struct launch_zones *zones)
{
    for (size_t i = 0; i < zones->count; i++)
        vmcp_zone_free(zones->items[i].zone);
    free(zones->items);
    zones->items = NULL;
    zones->count = 0;
}
