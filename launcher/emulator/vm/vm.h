/* SPDX-License-Identifier: Apache-2.0 */
/* vm.h - VMs that boot: what the Compute API asks of a driver.
 *
 * A driver turns an instance into processes. Each VM gets listening sockets of its own for the
 * metadata server (and, in `netns`, for the API); every connection on them is handed to the
 * emulator's servers with the VM's internal address as its peer, which is how a handler knows who
 * asks. The drivers:
 *
 *   netns    network, mount, PID and UTS namespaces on a bridge, 169.254.169.254:80 served inside
 *   process  a child process with GCE_METADATA_HOST set, for places that allow no namespaces
 *   none     no process: state only
 *
 * A guest's init asks the metadata server for its startup-script and runs it; what it prints goes
 * to the serial port log.
 */
#ifndef EMU_VM_H
#define EMU_VM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/server.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "reach.h"

struct emu_room; /* the machine room: one driver and its VMs */

struct emu_room_options {
    const char *driver;            /* "auto", "netns", "process" or "none" */
    const char *folder;            /* where serial logs are written, made by the caller; 0700 */
    struct http_server *metadata;  /* gets the connections to a VM's metadata address; borrowed */
    struct http_server *api;       /* gets those to its API and token address; borrowed */
    uint16_t api_port;             /* of the emulator's API on the host, for `process` */
    const char *api_addr_port;     /* the same as ADDR:PORT */
    const struct emu_reach *reach; /* what else guests may reach; borrowed */
    const char *const *hide;       /* folders no guest may see, NULL-terminated; borrowed */
    const char *project;
    /* A guest has ended, and nobody asked it to. From any thread; it must not wait. */
    void (*ended)(void *arg, uint64_t id);
    void *arg;
};

/* Set a room up: for `netns` the bridge 10.128.0.0/20 with the gateway 10.128.0.1. `auto` takes
 * netns where it works, else process; *emu_room_why() then says why. */
VMCP_MUST_CHECK int emu_room_new(const struct emu_room_options *options, struct emu_room **ret,
                                 struct vmcp_error *err);
/* Stop every VM, remove the network. Before the two servers are stopped, which it hands connections
 * to, and with no other call under way. */
void emu_room_free(struct emu_room *room);
const char *emu_room_driver(const struct emu_room *room); /* "netns", "process", "none" */
/* Which limits of VMs hold here, in words; "" for `none`. */
const char *emu_room_limits(const struct emu_room *room);
const char *emu_room_why(const struct emu_room *room); /* why not netns; "" if it is */
/* The origin of API and token endpoint as a guest sees it: "http://169.254.169.252" in netns, the
 * host's address otherwise. */
const char *emu_room_guest_api(const struct emu_room *room);

/* The /20 that VMs get their addresses from, in host byte order: 10.128.0.0, but 127.128.0.0 for
 * `process`: its guests listen on this machine's loopback, so an address there is one that leads to
 * them, while one in 10.128.0.0/20 would lead out of this machine. */
#define EMU_ROOM_SUBNET          UINT32_C(0x0a800000)
#define EMU_ROOM_SUBNET_LOOPBACK UINT32_C(0x7f800000)
uint32_t emu_room_subnet(const struct emu_room *room);

struct emu_vm_spec {
    uint64_t id;          /* the instance's numeric id; the key of all calls below */
    const char *name;     /* instance name, the guest's short host name */
    const char *hostname; /* NAME.ZONE.c.PROJECT.internal */
    struct in_addr ip;    /* its internal address in emu_room_subnet()'s /20 */
    int cpus, memory_mb;  /* of its machine type */
};

/* Boot. Returns when the guest's init runs (or at once for `none`). From any thread; VMs boot side
 * by side. Errors: VMCP_E_STATE_BUSY for one that runs, VMCP_E_USAGE for a name or address that no
 * VM has, what the system refuses otherwise. */
VMCP_MUST_CHECK int emu_room_boot(struct emu_room *room, const struct emu_vm_spec *spec,
                                  struct vmcp_error *err);
/* From now on `ended` is not called, and no call of it is under way. */
void emu_room_mute(struct emu_room *room);
/* Give a VM `limit_ms` to end, from the first call on; with `ask` its shutdown script is run, after
 * which it does. True while it still has time. */
bool emu_room_ending(struct emu_room *room, uint64_t id, bool ask, int limit_ms);
/* Kill the VM's processes and remove its network; its serial log stays. Unknown id: nothing. */
void emu_room_halt(struct emu_room *room, uint64_t id);
/* True while the guest's init or anything it started is alive; always for `none`. */
bool emu_room_running(struct emu_room *room, uint64_t id);

/* The serial port log from byte `start`, or from the oldest byte kept, at most 1 MiB, into `out`;
 * *ret_next is where to go on, so what was added began at *ret_next less its length. Nothing and 0
 * for a VM that was never booted. The file is FOLDER/NAME-ID.serial.log. */
VMCP_MUST_CHECK int emu_room_serial(struct emu_room *room, uint64_t id, uint64_t start,
                                    struct vmcp_buf *out, uint64_t *ret_next,
                                    struct vmcp_error *err);

#endif
