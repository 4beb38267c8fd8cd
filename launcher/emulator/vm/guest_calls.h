/* SPDX-License-Identifier: Apache-2.0 */
/* guest_calls.h - the system calls that a guest does not get, as it shares this kernel.
 *
 * Namespaces leave ways out: AF_VSOCK reaches whatever runs this machine, keyrings are those of the
 * user, io_uring makes sockets past every filter of socket(2).
 */
#ifndef EMU_GUEST_CALLS_H
#define EMU_GUEST_CALLS_H

#include "lib/error.h"

/* The filter as bubblewrap's --seccomp reads it: a new descriptor, rewound, close-on-exec. */
VMCP_MUST_CHECK int emu_guest_calls(int *ret_fd, struct vmcp_error *err);

#endif
