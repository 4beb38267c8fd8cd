/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - one thread that waits for all VMs' descriptors.
 *
 * It lives as long as the machine room, which matters twice: a child's death signal is tied to the
 * thread that started it (prctl(2), PR_SET_PDEATHSIG), so guests are started by emu_loop_call();
 * and whatever namespaces that thread enters are the ones that its children start from.
 */
#ifndef EMU_LOOP_H
#define EMU_LOOP_H

#include "lib/error.h"

struct emu_loop;

/* A descriptor to watch; embedded in what it belongs to. `fd` is -1 while it is not watched. */
struct emu_source {
    int fd;
    void (*ready)(struct emu_source *source); /* called on the loop's thread */
};

VMCP_MUST_CHECK int emu_loop_new(struct emu_loop **ret, struct vmcp_error *err);
/* End the thread and free. Sources that are still watched are forgotten, not closed. */
void emu_loop_free(struct emu_loop *loop);

/* Run `func(arg, err)` on the loop's thread and return what it returned. Not from that thread. */
VMCP_MUST_CHECK int emu_loop_call(struct emu_loop *loop,
                                  int (*func)(void *arg, struct vmcp_error *err), void *arg,
                                  struct vmcp_error *err);

/* Watch source->fd for reading; it belongs to the loop then. From any thread. */
VMCP_MUST_CHECK int emu_loop_add(struct emu_loop *loop, struct emu_source *source,
                                 struct vmcp_error *err);

/* Stop watching and close; nothing for a source that is not watched. Only on the loop's thread, or
 * its `ready` could still be about to run. */
void emu_loop_drop(struct emu_loop *loop, struct emu_source *source);

#endif
