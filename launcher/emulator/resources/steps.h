/* SPDX-License-Identifier: Apache-2.0 */
/* steps.h - what an operation does to its target, in two steps. */
#ifndef EMU_STEPS_H
#define EMU_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud.h"

/* The type of the operation by which a Spot VM is taken back. */
#define EMU_PREEMPTION "compute.instances.preempted"

/* Carry the operation one step: from PENDING to RUNNING, or from RUNNING to DONE. *ret_after_ms is
 * when it wants the next one; -1: it is DONE, or there is no such operation. Errors: those of the
 * state. */
VMCP_MUST_CHECK int emu_step(struct emu_cloud *cloud, uint64_t operation_id, int *ret_after_ms,
                             struct vmcp_error *err);

/* The guest of the instance ended by itself: what was RUNNING is TERMINATED. */
VMCP_MUST_CHECK int emu_step_ended(struct emu_cloud *cloud, uint64_t instance_id,
                                   struct vmcp_error *err);

/* At the start: instances that were up in the last run lost their processes with it. They become
 * TERMINATED, as after a host error with no automatic restart; who wants them starts them. With the
 * driver `none` there was nothing to lose: they stay as they are. */
VMCP_MUST_CHECK int emu_steps_recover(struct emu_cloud *cloud, struct vmcp_error *err);

#endif
