/* SPDX-License-Identifier: Apache-2.0 */
/* machinetype.h - custom machine types: the smallest shape of a series that holds so much. */
#ifndef LAUNCH_MACHINETYPE_H
#define LAUNCH_MACHINETYPE_H

#include <stdint.h>

#include "lib/error.h"

struct launch_shape {
    int64_t cpus;
    int64_t memory; /* MB */
    char name[64];  /* e2-custom-2-2048 */
};

/* The smallest custom shape of `series` ("e2", "n1", "n2", "n2d") with at least `cpus` and
 * `memory` MB: fewest CPUs first, then least memory. VMCP_E_PLAN where there is none. */
VMCP_MUST_CHECK int launch_shape_find(const char *series, int64_t cpus, int64_t memory,
                                      struct launch_shape *ret, struct vmcp_error *err);

/* Is `name`, if it is a custom shape of one of those series, one that the series has (-ext and the
 * shared-core shapes of e2 too)? Other names are the API's to know. VMCP_E_PLAN. */
VMCP_MUST_CHECK int launch_shape_check(const char *name, struct vmcp_error *err);

#endif
