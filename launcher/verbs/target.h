/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - what the verbs that act on VMs that are there have in common. */
#ifndef LAUNCH_TARGET_H
#define LAUNCH_TARGET_H

#include "lib/options.h"
#include "report.h"
#include "run.h"
#include "targets.h"

struct target_args {
    struct launch_settings settings;
    struct vmcp_list forced;
    bool follow;
    int64_t port;
};

#define TARGET_ARGS                            \
    {                                          \
        .settings = LAUNCH_SETTINGS, .port = 1 \
    }

/* The rows that all of them have; a verb's own stand before. */
/* clang-format off */
#define TARGET_AT(field) offsetof(struct target_args, settings.field)
#define TARGET_ROWS \
    {"force", "ID", VMCP_OPT_LIST, offsetof(struct target_args, forced), 0, 0, \
     "this VM, by its numeric id, whosever it is"}, \
    {"dry-run", NULL, VMCP_OPT_FLAG, TARGET_AT(dry_run), 0, 0, \
     "send no write; say what would be done"}, \
    LAUNCH_ASK_ROWS(TARGET_AT), LAUNCH_CLOUD_ROWS(TARGET_AT), \
    {"name-suffix", "S", VMCP_OPT_STRING, TARGET_AT(name_suffix), 0, 0, \
     "the VMs that were named NAME-S"}, \
    {"count", "N", VMCP_OPT_INT, TARGET_AT(count), 1, VMCP_COUNT_MAX, \
     "VMs, named NAME-1 to NAME-N (what the machine says)"}, \
    {"parallel", "N", VMCP_OPT_INT, TARGET_AT(parallel), 1, 64, \
     "how many VMs are acted on at once (16)"}, \
    {"timeout", "TIME", VMCP_OPT_TIME, TARGET_AT(timeout), 1, 86400, "for operations (10m)"}, \
    {"state-dir", "DIR", VMCP_OPT_STRING, TARGET_AT(state_dir), 0, 0, "where to keep state"}, \
    {"json", NULL, VMCP_OPT_FLAG, TARGET_AT(json), 0, 0, "print one JSON object on stdout"}
/* clang-format on */

/* What a verb does with what was found. */
typedef int (*target_act)(struct launch_run *run, const struct target_args *args,
                          struct launch_targets *targets, struct vmcp_error *err);

/* Parse, find, act, report. Returns the exit code. */
int target_main(const struct vmcp_command *command, const char *verb, bool write, target_act act,
                int argc, char **argv);

/* A VM's row of the report; takes the reference. */
void target_report(struct launch_run *run, json_t *row);

#endif
