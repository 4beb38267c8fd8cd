/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - the signals that vmcpd listens to, and that no other one ends it by mistake. */
#ifndef SRV_SIGNALS_H
#define SRV_SIGNALS_H

#include "lib/error.h"

/* First of all. A signal that is sent too early, or by mistake, ends nothing: SIGHUP is kept until
 * there is something to load again, and SIGUSR1 and SIGUSR2 until they can be answered. SIGTERM and
 * SIGINT go on ending the program. */
void srv_signals_hold(void);

/* From here on those two are waited for as well. Before any thread is made. *ret_fd is to be polled
 * for reading, and closed. Errors: VMCP_E_INTERNAL. */
VMCP_MUST_CHECK int srv_signals_open(int *ret_fd, struct vmcp_error *err);

/* The next one that has come, or 0. Does not wait. */
int srv_signals_next(int fd);

#endif
