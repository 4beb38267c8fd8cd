/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `status`: how the machine's VMs are. */
#include <stddef.h>
#include <stdio.h>

#include "cloud/instance.h"
#include "launch.h"
#include "option_rows.h"
#include "target.h"

static const struct vmcp_option options[] = {TARGET_ROWS, {0}};

const struct vmcp_command launch_status_command = {
    .name = "vmcp-launch status",
    .operands = "[NAME|ID…]",
    .summary = "show how a machine's VMs are",
    .options = options,
    .max_operands = VMCP_LIST_MAX,
    .details =
        "Looks at the VMs that were made from here, which needs no responder, and where there "
        "are\nnone at those that fit a freshly verified answer. One that was made from here "
        "and is no\nlonger there is GONE.\n",
    .example = "  vmcp-launch status --domain cfg.example.org --machine web\n",
};

static int act(struct launch_run *run, const struct target_args *args,
               struct launch_targets *targets, struct vmcp_error *err)
{
    (void)err;
    for (size_t i = 0; i < targets->count; i++) {
        const struct launch_target *t = &targets->items[i];
        target_report(run, launch_target_row(t));
        char status[40];
        launch_clean(t->instance ? launch_instance_status(t->instance) : "GONE", status,
                     sizeof(status));
        if (!args->settings.json)
            printf("%s  %s  %s  %s  %s\n", t->name, status, t->zone,
                   t->instance ? launch_instance_internal_ip(t->instance) : "-", t->id);
    }
    if (!targets->count)
        launch_say(run->report, "no VM of %s is known from here, or fits its answer", run->machine);
    return 0;
}

int launch_status_main(int argc, char **argv)
{
    return target_main(&launch_status_command, "status", false, act, argc, argv);
}
