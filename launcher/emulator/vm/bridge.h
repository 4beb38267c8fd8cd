/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - the VMs' network: a bridge that is 10.128.0.0/20, and a cable from it to each VM.
 *
 * Made with iproute2 in a network namespace that has nothing else in it and goes with the emulator.
 * This machine is on it with the interface gcebr0, behind the gate (gate.h). One emulator at a time
 * has that here; what one that was killed left behind is removed by the next.
 */
#ifndef EMU_BRIDGE_H
#define EMU_BRIDGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "gate.h"
#include "lib/error.h"
#include "reach.h"

#define EMU_METADATA_ADDR 0xa9fea9feU /* 169.254.169.254 */
#define EMU_API_ADDR      0xa9fea9fcU /* 169.254.169.252 */

struct emu_bridge {
    char *ip;  /* the path of iproute2's `ip`; owned */
    int claim; /* the socket that keeps other emulators out; -1: none */
    int netns; /* the bridge's network namespace; -1: none */
    struct emu_gate gate;
    bool made;
};

#define EMU_BRIDGE                \
    {                             \
        .claim = -1, .netns = -1, \
    }

/* Make the bridge with the gateway 10.128.0.1. Errors: VMCP_E_FILE without iproute2,
 * VMCP_E_STATE_BUSY where another emulator has it or the addresses are in use. */
VMCP_MUST_CHECK int emu_bridge_up(struct emu_bridge *bridge, struct emu_loop *loop,
                                  struct vmcp_error *err);
/* Remove it and forget it. Nothing if it was not made. */
void emu_bridge_down(struct emu_bridge *bridge);

/* Lay the cable to the network namespace `netns`, that of the process `pid`: eth0 with `addr`, the
 * route out, and the addresses of metadata server, API and what else may be reached on the
 * loopback interface. */
VMCP_MUST_CHECK int emu_bridge_plug(const struct emu_bridge *bridge, unsigned number, pid_t pid,
                                    int netns, struct in_addr addr, const struct emu_reach *reach,
                                    struct vmcp_error *err);
void emu_bridge_unplug(const struct emu_bridge *bridge, unsigned number);

/* True for an address that a VM can have: in 10.128.0.0/20, without gateway, network and
 * broadcast. */
bool emu_bridge_fits(struct in_addr addr);

#endif
