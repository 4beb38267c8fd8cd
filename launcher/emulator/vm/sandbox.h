/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - a guest's processes: bubblewrap with a root, a first process and no network yet. */
#ifndef EMU_SANDBOX_H
#define EMU_SANDBOX_H

#include <sys/types.h>

#include "driver.h"
#include "hidden.h"
#include "lib/auto.h"
#include "lib/error.h"

struct emu_sandbox {
    struct emu_hidden hidden;
    char *bwrap;
    int userns;  /* the guests', or -1: the emulator's own */
    uid_t owner; /* the host's number for the guests' root */
};

#define EMU_SANDBOX  \
    {                \
        .userns = -1 \
    }

/* Get ready for guests that do not see `hide` and what hidden.h lists. Moves the loop's thread into
 * a mount namespace of its own, from which all guests then start; after a failure the loop is of no
 * further use. emu_sandbox_clear() in any case. */
VMCP_MUST_CHECK int emu_sandbox_setup(struct emu_sandbox *sandbox, struct emu_room *room,
                                      struct vmcp_error *err);
void emu_sandbox_clear(struct emu_sandbox *sandbox);

/* Run an empty guest to its end, to see what does not work here. */
VMCP_MUST_CHECK int emu_sandbox_probe(const struct emu_sandbox *sandbox, struct emu_room *room,
                                      struct vmcp_error *err);

/* Start the guest up to where its first process would run, and hand it to the room: vm->pid is in
 * the guest's network, which has nothing in it yet. `metadata` and `api` are the addresses in its
 * environment. *ret_info is for emu_sandbox_init(); a byte into the socket *ret_go lets the first
 * process run. Both are the caller's to close. */
VMCP_MUST_CHECK int emu_sandbox_start(const struct emu_sandbox *sandbox, struct emu_vm *vm,
                                      const char *metadata, const char *api, int *ret_info,
                                      int *ret_go, struct vmcp_error *err);

/* Wait for bubblewrap to name the guest's PID 1, as it is numbered here. */
VMCP_MUST_CHECK int emu_sandbox_init(int info, pid_t *ret, struct vmcp_error *err);

#endif
