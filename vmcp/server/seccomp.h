/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.h - which system calls the server can make from now on (seccomp(2)).
 *
 * Those that it needs after its start are allowed. No server of ours ever runs a program, looks
 * into another process or loads a kernel module: a call that does ends the process at once
 * (SIGSYS). Every other one fails with ENOSYS, as on a kernel that does not have it: the libraries
 * then do what they do on old kernels, so that a newer C library does not stop the server.
 */
#ifndef SRV_SECCOMP_H
#define SRV_SECCOMP_H

#include "lib/error.h"

/* For this process with all its threads, for ever. No socket is made from then on. `datagrams` is
 * the one that is open and has no connection in the strict sense (-1: none): it goes on reaching
 * the address that connect() gave it, and no other. PR_SET_NO_NEW_PRIVS must be set. Errors:
 * VMCP_E_INTERNAL, VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int srv_seccomp_enter(int datagrams, struct vmcp_error *err);

#endif
