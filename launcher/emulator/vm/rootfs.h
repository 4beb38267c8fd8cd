/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs.h - the file system that guests start from.
 *
 * /usr is the host's, read-only; /etc is a copy, made once, of what every user of the host may
 * read, without keys; the rest is empty. The copy lies in a tmpfs that only the loop's thread and
 * its children see, in a mount namespace of their own: when the emulator ends, in whatever way, it
 * is gone.
 */
#ifndef EMU_ROOTFS_H
#define EMU_ROOTFS_H

#include <sys/types.h>

#include "hidden.h"
#include "lib/buf.h"
#include "lib/error.h"

/* Give the calling thread (the loop's) its mount namespace and fill it. The copy's files belong to
 * `owner`, the host's number for the guests' root. Errors: VMCP_E_INTERNAL, with the way out for
 * who lacks the rights. */
VMCP_MUST_CHECK int emu_rootfs_enter(const struct emu_hidden *hidden, uid_t owner,
                                     struct vmcp_error *err);

/* Append bubblewrap's arguments that make it a guest's root, each ended by a NUL. Paths of the
 * guest's own are laid over it after them; emu_rootfs_seal() comes last. */
void emu_rootfs_args(const struct emu_hidden *hidden, struct vmcp_buf *args);
void emu_rootfs_seal(struct vmcp_buf *args);

/* Append one argument and its NUL. */
void emu_rootfs_arg(struct vmcp_buf *args, const char *arg);

#endif
