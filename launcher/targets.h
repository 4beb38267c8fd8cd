/* SPDX-License-Identifier: Apache-2.0 */
/* targets.h - which VMs a verb acts on that was not told to make one.
 *
 * A VM counts whose numeric id is in the state, or whose session, domain and machine match a
 * freshly verified answer; any other only by --force ID. From then on it is addressed by its id:
 * the name may become another's.
 */
#ifndef LAUNCH_TARGETS_H
#define LAUNCH_TARGETS_H

#include <jansson.h>
#include <stdbool.h>

#include "cloud/resource.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "run.h"

struct launch_target {
    char project[LAUNCH_PROJECT_MAX + 1];
    char zone[LAUNCH_LABEL_MAX + 1];
    char name[LAUNCH_LABEL_MAX + 1];
    char id[24];
    json_t *instance; /* as read; owned; NULL: it is gone */
};

struct launch_targets {
    struct launch_target *items; /* owned */
    size_t count;
};

struct launch_search {
    const struct vmcp_list *wanted; /* names or ids; empty: all VMs of the machine */
    const struct vmcp_list *forced; /* ids */
    bool write;                     /* what is found will be changed: lock, and settle first */
};

/* Find them. `run` has begun and its settings are resolved. VMCP_E_SESSION for one that is wanted
 * and is not ours, or not there. */
VMCP_MUST_CHECK int launch_targets_find(struct launch_run *run, const struct launch_search *search,
                                        struct launch_targets *ret, struct vmcp_error *err);

/* A row for the report. New reference. */
json_t *launch_target_row(const struct launch_target *target);

void launch_targets_clear(struct launch_targets *targets);
#define auto_targets VMCP_AUTO(launch_targets_clear)

#endif
