/* SPDX-License-Identifier: Apache-2.0 */
/* act.h - one VM: made, or resumed where it is there already, or refused. */
#ifndef LAUNCH_ACT_H
#define LAUNCH_ACT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "plan/draft.h"
#include "run.h"

/* What one VM is to be, and what became of it. */
struct launch_job {
    const struct launch_subject *subject;
    int64_t number;          /* of several VMs, from 1; 0: the only one */
    struct launch_plan plan; /* for the first zone; owned */
    const char *outcome;     /* "created", "running", "started", "resumed"; in a dry run what would
                                be: "create", "wait", "start", "resume", "none" */
    json_t *instance;        /* as last read; owned; NULL: there is none */
    json_t *drift;           /* what was told to differ from the plan; owned; NULL: nothing yet */
    char zone[LAUNCH_LABEL_MAX + 1];
    char guest[256]; /* value of the guest attribute that was waited for; "" */
};

/* Plan job->number in the first zone and keep the plan. */
VMCP_MUST_CHECK int launch_job_plan(struct launch_job *job, struct vmcp_error *err);

/* Look for the planned VM in all zones and say what would be done: job->outcome. VMCP_E_SESSION if
 * the name is another's, VMCP_E_DRIFT for a stopped VM that differs. Sends no write. */
VMCP_MUST_CHECK int launch_job_look(struct launch_run *run, struct launch_job *job,
                                    struct vmcp_error *err);

/* Make it so: the VM is RUNNING at the end, or was made or started here and has stopped itself
 * since. Whatever is read while it is waited for is judged as launch_job_look() does. */
VMCP_MUST_CHECK int launch_job_act(struct launch_run *run, struct launch_job *job,
                                   struct vmcp_error *err);

/* Wait for the machine's apiPort, if --wait-api says so and it has one. At time-out the firewall
 * rule that may be missing is told. */
VMCP_MUST_CHECK int launch_job_wait_api(struct launch_run *run, const struct launch_job *job,
                                        struct vmcp_error *err);

/* Wait for the guest attribute of --wait-guest, for as long as --api-timeout says. VMCP_E_OPERATION
 * for a VM that has stopped, VMCP_E_TIMEOUT. Whoever is on the VM wrote the value. */
VMCP_MUST_CHECK int launch_job_wait_guest(struct launch_run *run, struct launch_job *job,
                                          struct vmcp_error *err);

void launch_job_clear(struct launch_job *job);
#define auto_job VMCP_AUTO(launch_job_clear)

#endif
