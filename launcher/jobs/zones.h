/* SPDX-License-Identifier: Apache-2.0 */
/* zones.h - the time zones of all jobs, each once: ten thousand jobs have a handful. */
#ifndef LAUNCH_ZONES_H
#define LAUNCH_ZONES_H

#include <pthread.h>
#include <stddef.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "lib/limits.h"
#include "lib/zone.h"

struct launch_zones {
    pthread_mutex_t lock; /* over all below */
    struct launch_named_zone {
        char name[VMCP_ZONE_NAME_MAX + 1];
        struct vmcp_zone *zone;
    } * items;
    size_t count;
};
#define LAUNCH_ZONES                       \
    {                                      \
        .lock = PTHREAD_MUTEX_INITIALIZER, \
    }

/* The zone of a name, read when it is first asked for; borrowed until launch_zones_clear(). The
 * same name is the same pointer. From any thread. Errors: those of vmcp_zone_load(). */
VMCP_MUST_CHECK int launch_zones_find(struct launch_zones *zones, const char *name,
                                      const struct vmcp_zone **ret, struct vmcp_error *err);
void launch_zones_clear(struct launch_zones *zones);
#define auto_zones VMCP_AUTO(launch_zones_clear)

#endif
