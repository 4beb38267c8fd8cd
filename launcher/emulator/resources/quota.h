/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h - how much of what a project may use: `--quota CPUS=8`.
 *
 * A limit holds for each region by itself, but for CPUS_ALL_REGIONS. Without one nothing is
 * refused.
 */
#ifndef EMU_QUOTA_H
#define EMU_QUOTA_H

#include <jansson.h>
#include <stdint.h>

#include "base/refusal.h"
#include "instance.h"
#include "lib/error.h"
#include "lib/options.h"

struct emu_cloud;

enum emu_metric {
    EMU_CPUS,
    EMU_INSTANCES,
    EMU_DISKS_TOTAL_GB,   /* pd-standard */
    EMU_SSD_TOTAL_GB,     /* all other kinds */
    EMU_IN_USE_ADDRESSES, /* external ones */
    EMU_CPUS_ALL_REGIONS,
    EMU_METRIC_COUNT,
};

#define EMU_NO_QUOTA INT64_C(1000000000) /* what is said where no limit is set */

struct emu_quotas {
    int64_t limits[EMU_METRIC_COUNT];
};

/* Read NAME=NUMBER, several times. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int emu_quotas_read(const struct vmcp_list *options, struct emu_quotas *ret,
                                    struct vmcp_error *err);

/* 403 quotaExceeded if the instance, which is not in the state yet, and its new disks would be over
 * a limit. */
VMCP_MUST_CHECK int emu_quota_check_instance(struct emu_cloud *cloud, const char *zone,
                                             const struct emu_instance *instance,
                                             struct emu_refusal *why);
/* The same for what a stopped instance needs to start. */
VMCP_MUST_CHECK int emu_quota_check_start(struct emu_cloud *cloud,
                                          const struct emu_instance *instance,
                                          struct emu_refusal *why);
/* The same for a disk by itself: a Disk resource, or one grown by `more` GB. */
VMCP_MUST_CHECK int emu_quota_check_disk(struct emu_cloud *cloud, const char *zone,
                                         const json_t *disk, int64_t more, struct emu_refusal *why);

/* The `quotas` of a region (NULL: of the project). New reference in *ret. */
VMCP_MUST_CHECK int emu_quota_list(struct emu_cloud *cloud, const char *region, json_t **ret,
                                   struct vmcp_error *err);

#endif
