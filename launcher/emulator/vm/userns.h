/* SPDX-License-Identifier: Apache-2.0 */
/* userns.h - a user namespace whose root is nobody on this machine.
 *
 * Where the emulator runs as the machine's root, a guest's root must not be that root: it would
 * own /proc/sys and every file of root's that it gets to see. So guests get 65536 user ids that
 * belong to nobody, and the kernel does the rest. Where the emulator is root of a user's own
 * namespace already (`unshare -Ur`), there are no ids to give away and no need to: a guest's root
 * is the emulator's user then. The kernel counts a user's processes in each namespace by itself, so
 * that RLIMIT_NPROC is a limit of each VM.
 */
#ifndef EMU_USERNS_H
#define EMU_USERNS_H

#include <sys/types.h>

#include "lib/error.h"

/* In the range that systemd's "Users, Groups, UIDs and GIDs" leaves free, above its containers. */
enum { EMU_USERNS_BASE = 1900000000, EMU_USERNS_COUNT = 65536 };

/* *ret_fd is the namespace, close-on-exec, and *ret_owner the number outside of its root; -1 and 0
 * where none can be had and none is needed. */
VMCP_MUST_CHECK int emu_userns_new(int *ret_fd, uid_t *ret_owner, struct vmcp_error *err);

#endif
