/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/clock.h"
#include "lib/auto.h"

enum {
    HEADER = sizeof(struct virtio_net_hdr),
    FRAME_MAX = HEADER + 18 + 65535, /* segments come unsplit */
    BATCH = 64,                      /* frames carried before others get their turn */
};

/* Errors of a send are those of a full queue or an interface that is down: the frame is lost, as
 * frames may be. */
static void pass_on(int fd, const uint8_t *bytes, size_t len)
{
    (void)!send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One frame from `from` to `to`; false when there is none. Each begins with the header in which
 * the kernel says which checksums are still to be filled in (packet(7), PACKET_VNET_HDR). */
static bool carry(struct emu_gate *gate, int from, int to, bool inward)
{
    static uint8_t bytes[FRAME_MAX]; /* the loop's thread alone comes here */
    ssize_t n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0)
        return errno == EINTR || errno == ENETDOWN;
    if (n <= HEADER || (size_t)n > sizeof(bytes))
        return true;
    const uint8_t *frame = bytes + HEADER;
    size_t len = (size_t)n - HEADER;
    int64_t now = http_now_ms();
    enum emu_gate_verdict verdict =
        inward ? emu_gate_inward(gate, frame, len, now) : emu_gate_outward(gate, frame, len, now);
    if (verdict == EMU_GATE_PASS)
        pass_on(to, bytes, (size_t)n);
    if (verdict == EMU_GATE_REFUSE) {
        uint8_t answer[HEADER + EMU_GATE_REFUSAL] = {0};
        emu_gate_refusal(frame, answer + HEADER);
        pass_on(from, answer, sizeof(answer));
    }
    return true;
}

static void up_ready(struct emu_source *source)
{
    struct emu_gate *gate =
        (struct emu_gate *)(void *)((char *)source - offsetof(struct emu_gate, up));
    for (int i = 0; i < BATCH && carry(gate, gate->up.fd, gate->down.fd, true); i++)
        continue;
}

static void down_ready(struct emu_source *source)
{
    struct emu_gate *gate =
        (struct emu_gate *)(void *)((char *)source - offsetof(struct emu_gate, down));
    for (int i = 0; i < BATCH && carry(gate, gate->down.fd, gate->up.fd, false); i++)
        continue;
}

struct request {
    int netns;
    const char *up, *down;
    int fds[2];
    int rc;
    struct vmcp_error *err;
};

static int open_socket(const char *interface, int *ret_fd, struct vmcp_error *err)
{
    int on = 1;
    auto_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_ll addr = {.sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = (int)if_nametoindex(interface)};
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "no packet socket for the VMs' network: %m");
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* A thread of its own: it enters the namespace. */
static void *open_there(void *arg)
{
    struct request *request = arg;
    if (setns(request->netns, CLONE_NEWNET) < 0)
        request->rc = vmcp_fail(request->err, VMCP_E_INTERNAL, "cannot enter a network: %m");
    else
        request->rc = open_socket(request->up, &request->fds[0], request->err);
    if (request->rc == 0)
        request->rc = open_socket(request->down, &request->fds[1], request->err);
    return NULL;
}

int emu_gate_open(struct emu_gate *gate, struct emu_loop *loop, int netns, const char *up,
                  const char *down, struct vmcp_error *err)
{
    struct request request = {.netns = netns, .up = up, .down = down, .fds = {-1, -1}, .err = err};
    pthread_t thread;
    errno = pthread_create(&thread, NULL, open_there, &request);
    if (errno)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot start a thread: %m");
    pthread_join(thread, NULL);
    gate->loop = loop;
    gate->up = (struct emu_source){.fd = request.fds[0], .ready = up_ready};
    gate->down = (struct emu_source){.fd = request.fds[1], .ready = down_ready};
    int rc = request.rc;
    if (rc == 0)
        rc = emu_loop_add(loop, &gate->up, err);
    return rc < 0 ? rc : emu_loop_add(loop, &gate->down, err);
}

static int drop(void *arg, struct vmcp_error *err)
{
    struct emu_gate *gate = arg;
    (void)err;
    emu_loop_drop(gate->loop, &gate->up);
    emu_loop_drop(gate->loop, &gate->down);
    return 0;
}

void emu_gate_close(struct emu_gate *gate)
{
    if (gate->loop && emu_loop_call(gate->loop, drop, gate, NULL) < 0)
        return; /* cannot fail */
    gate->loop = NULL;
}
