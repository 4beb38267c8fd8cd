/* SPDX-License-Identifier: Apache-2.0 */
/* within.h - a command in a network of its own, where 169.254.169.254 is a metadata server.
 *
 * A network and a mount namespace, and for an ordinary user a user namespace in which they stay who
 * they are. In it are loopback, 169.254.169.254:80, and the places where the emulator listens out
 * here, all of which lead to it; /etc/hosts knows metadata.google.internal.
 */
#ifndef EMU_WITHIN_H
#define EMU_WITHIN_H

#include <stdbool.h>

#include "lib/error.h"

struct emu_within {
    const char *metadata, *api; /* ADDR:PORT of the emulator */
    char *const *argv;          /* NULL-terminated */
    bool here;                  /* no namespaces */
};

/* Run it to its end; *ret_code is its exit code, 128 more than the signal's number where one ended
 * it. Where no namespace can be had it runs without, after a line on standard error. Errors:
 * VMCP_E_FILE for a command that cannot be run. */
VMCP_MUST_CHECK int emu_within_run(const struct emu_within *within, int *ret_code,
                                   struct vmcp_error *err);

#endif
