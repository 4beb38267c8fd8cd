/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - the threads that carry operations forward: PENDING to RUNNING to DONE.
 *
 * An operation rests in RUNNING for the cloud's operation delay; then what it stands for is done:
 * a VM boots, stops, goes. VMs boot side by side; of one target one step is done at a time, in the
 * order in which they were asked for. Operations that the last run of the emulator left open are
 * carried on at the start, so none hangs. It also keeps the managed instance groups (group.h).
 */
#ifndef EMU_WORKER_H
#define EMU_WORKER_H

#include <stdint.h>

#include "cloud.h"

/* Start the threads, with what is open in the state. */
VMCP_MUST_CHECK int emu_worker_start(struct emu_cloud *cloud, struct emu_worker **ret,
                                     struct vmcp_error *err);
/* Let them finish the steps they are at, and free. */
void emu_worker_stop(struct emu_worker *worker);

/* Hand over an operation that was committed to the state. Without memory it is carried on at the
 * next start. */
void emu_worker_add(struct emu_worker *worker, uint64_t operation_id);

/* The guest of an instance ended by itself. From any thread. */
void emu_worker_ended(struct emu_worker *worker, uint64_t instance_id);

#endif
