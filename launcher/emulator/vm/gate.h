/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - the gate between this machine and the VMs' network: it opens from this side only.
 *
 * The VMs' bridge lies in a network namespace of its own that has no way out but this: two packet
 * sockets between which the emulator carries frames. What this machine begins passes, with its
 * answers; what a VM begins does not, whatever listens here and at which address. A TCP connection
 * that a VM opens is refused at once, anything else gets no answer. No packet filter of the kernel
 * is needed for it.
 */
#ifndef EMU_GATE_H
#define EMU_GATE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "lib/error.h"

enum { EMU_GATE_FLOWS = 1024, EMU_GATE_FLOW_MS = 60000 };

/* A UDP exchange that this machine began. */
struct emu_gate_flow {
    uint32_t guest, host; /* addresses and ports as packets have them */
    uint16_t guest_port, host_port;
    int64_t at; /* http_now_ms() */
};

struct emu_gate {
    struct emu_source up, down; /* packet sockets: this machine's side, the VMs' side */
    struct emu_loop *loop;
    struct emu_gate_flow flows[EMU_GATE_FLOWS];
};

/* What becomes of a frame. */
enum emu_gate_verdict { EMU_GATE_DROP, EMU_GATE_PASS, EMU_GATE_REFUSE };

/* Judge an Ethernet frame: one from this machine, which is remembered; one from a VM. */
enum emu_gate_verdict emu_gate_inward(struct emu_gate *gate, const uint8_t *frame, size_t len,
                                      int64_t now);
enum emu_gate_verdict emu_gate_outward(const struct emu_gate *gate, const uint8_t *frame,
                                       size_t len, int64_t now);

enum { EMU_GATE_REFUSAL = 54 };

/* The answer to a TCP segment that was refused: a reset (RFC 9293, 3.10.7.1). */
void emu_gate_refusal(const uint8_t *frame, uint8_t ret[static EMU_GATE_REFUSAL]);

/* Carry between the interfaces `up` and `down` of the network namespace `netns`, on the loop's
 * thread. Off the loop's thread. */
VMCP_MUST_CHECK int emu_gate_open(struct emu_gate *gate, struct emu_loop *loop, int netns,
                                  const char *up, const char *down, struct vmcp_error *err);
void emu_gate_close(struct emu_gate *gate);

#endif
