/* SPDX-License-Identifier: Apache-2.0 */
/* launching.h - a job that launches a machine: `vmcp-launch launch` as a process of its own, with
 * the settings of this one. It has the machine's lock, state and bounds as if it was called by
 * hand, and its fall does not take the schedule with it. */
#ifndef LAUNCH_LAUNCHING_H
#define LAUNCH_LAUNCHING_H

#include "lib/buf.h"
#include "lib/error.h"
#include "worker.h"

/* Launch a machine, for at most `deadline_ms`. *ret_code is its exit code (enum vmcp_exit), -1
 * where it was stopped for its time; `out` gets the JSON that it printed. Errors: where no process
 * could be made. */
VMCP_MUST_CHECK int launch_machine(const struct launch_jobs *jobs, const char *machine,
                                   int64_t deadline_ms, int *ret_code, struct vmcp_buf *out,
                                   struct vmcp_error *err);

#endif
