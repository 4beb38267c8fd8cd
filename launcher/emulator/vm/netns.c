/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "driver.h"
#include "lib/auto.h"
#include "sandbox.h"

#define GUEST_METADATA "169.254.169.254:80"
#define GUEST_API      "http://169.254.169.252"

struct netns {
    struct emu_bridge bridge;
    struct emu_sandbox sandbox;
};

static int serve(struct emu_vm *vm, int netns, uint32_t addr, struct emu_listener *listener,
                 struct http_server *server, struct vmcp_error *err)
{
    int fd = -1;
    int rc = emu_listen(netns, (struct in_addr){.s_addr = htonl(addr)}, 80, &fd, err);
    if (rc < 0)
        return rc;
    return emu_listener_start(listener, vm->room->loop, fd, server, vm->ip, err);
}

/* Give a guest that waits for it its network. */
static int connect_guest(struct emu_vm *vm, struct vmcp_error *err)
{
    const struct netns *netns = vm->room->state;
    auto_close int net = emu_vm_pidfd(vm, err);
    if (net < 0)
        return net;
    const struct emu_reach *reach = vm->room->options.reach;
    int rc = emu_bridge_plug(&netns->bridge, vm->number, vm->pid, net, vm->ip, reach, err);
    if (rc == 0)
        rc = serve(vm, net, EMU_METADATA_ADDR, &vm->metadata, vm->room->options.metadata, err);
    if (rc == 0)
        rc = serve(vm, net, EMU_API_ADDR, &vm->api, vm->room->options.api, err);
    if (rc == 0)
        rc = emu_reach_open(reach, vm->room->loop, net, vm->ways, err);
    return rc;
}

static int boot(struct emu_vm *vm, struct vmcp_error *err)
{
    const struct netns *netns = vm->room->state;
    auto_close int info = -1;
    auto_close int go = -1;
    pid_t init = 0;
    if (!emu_bridge_fits(vm->ip))
        return vmcp_fail(err, VMCP_E_USAGE, "a VM's address is one of 10.128.0.2 to 10.128.15.254");
    int rc = emu_sandbox_start(&netns->sandbox, vm, GUEST_METADATA, GUEST_API, &info, &go, err);
    if (rc == 0) /* while bubblewrap mounts */
        rc = connect_guest(vm, err);
    if (rc == 0)
        rc = emu_sandbox_init(info, &init, err);
    if (rc < 0)
        return rc;
    vm->init = pidfd_open(init, 0);
    if (vm->init < 0 || send(go, "", 1, MSG_NOSIGNAL) != 1)
        return vmcp_fail(err, VMCP_E_INTERNAL, "the guest ended before it could start: %m");
    return 0;
}

/* PID 1 takes everything in its PID namespace with it, and then bubblewrap's monitor ends. */
static void kill_guest(struct emu_vm *vm, bool hard)
{
    if (hard || vm->init < 0)
        kill(vm->pid, SIGKILL);
    else
        pidfd_send_signal(vm->init, SIGKILL, NULL, 0);
}

static void ask(struct emu_vm *vm)
{
    pidfd_send_signal(vm->init, SIGPWR, NULL, 0);
}

static void clean(struct emu_vm *vm)
{
    const struct netns *netns = vm->room->state;
    emu_bridge_unplug(&netns->bridge, vm->number);
}

static void teardown(struct emu_room *room)
{
    struct netns *netns = room->state;
    emu_bridge_down(&netns->bridge);
    emu_sandbox_clear(&netns->sandbox);
    free(netns);
    room->state = NULL;
}

static int setup(struct emu_room *room, struct vmcp_error *err)
{
    struct netns *netns = calloc(1, sizeof(*netns));
    if (!netns)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the VMs' network");
    *netns = (struct netns){.bridge = EMU_BRIDGE, .sandbox = EMU_SANDBOX};
    room->state = netns;
    int rc = emu_sandbox_setup(&netns->sandbox, room, err);
    if (rc == 0)
        rc = emu_bridge_up(&netns->bridge, room->loop, err);
    if (rc == 0)
        rc = emu_sandbox_probe(&netns->sandbox, room, err);
    if (rc < 0) {
        teardown(room);
        return rc;
    }
    snprintf(room->guest_api, sizeof(room->guest_api), "%s", GUEST_API);
    return 0;
}

const struct emu_driver emu_driver_netns = {
    .name = "netns",
    .setup = setup,
    .teardown = teardown,
    .boot = boot,
    .ask = ask,
    .kill = kill_guest,
    .clean = clean,
};
