/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - listening sockets of another network namespace whose connections go on in this one. */
#ifndef EMU_RELAY_H
#define EMU_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

enum { EMU_RELAYS_MAX = 4, EMU_RELAYED_MAX = 256 /* connections at once */ };

struct emu_relay {
    int fd;             /* listening; taken over */
    const char *target; /* ADDR:PORT; borrowed for ever */
};

/* Carry connections for the rest of this process's life, in threads of their own. */
VMCP_MUST_CHECK int emu_relay_start(const struct emu_relay *relays, size_t count,
                                    struct vmcp_error *err);

/* True if somebody listens there now. */
bool emu_relay_reaches(const char *target);

/* Carry one connection, taken over, in a thread of its own; `target` is borrowed for ever. */
void emu_relay_take(int fd, const char *target);

#endif
