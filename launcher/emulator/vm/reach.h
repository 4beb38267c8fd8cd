/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - what of the host's network a guest may reach besides the emulator: --guest-may-reach.
 *
 * Each place is listened on inside the guest, at the very address that it has out here, and each
 * connection is carried on from here. Nothing else gets through, and the guest needs no route.
 */
#ifndef EMU_REACH_H
#define EMU_REACH_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "lib/error.h"

enum { EMU_REACH_MAX = 8 };

struct emu_place_out {
    char text[32]; /* ADDR:PORT */
    struct in_addr addr;
    uint16_t port;
};

struct emu_reach {
    struct emu_place_out places[EMU_REACH_MAX];
    size_t count;
};

/* One place as one guest has it. */
struct emu_way_out {
    struct emu_source source;
    const char *target; /* borrowed */
};

/* Add a place. Errors: VMCP_E_USAGE for what is no IPv4 ADDR:PORT, is the VMs' own or the
 * emulator's in there, or is one too many. */
VMCP_MUST_CHECK int emu_reach_add(struct emu_reach *reach, const char *text,
                                  struct vmcp_error *err);

/* Open the ways out of the guest whose network is `netns`, one for each place; they belong to the
 * loop. The addresses are there already. */
VMCP_MUST_CHECK int emu_reach_open(const struct emu_reach *reach, struct emu_loop *loop, int netns,
                                   struct emu_way_out ways[static EMU_REACH_MAX],
                                   struct vmcp_error *err);

#endif
