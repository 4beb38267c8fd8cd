/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - what the machine room and its drivers share.
 *
 * The room keeps the table of VMs, watches their processes and their output, and sees to it that
 * one boot or halt of a VM is under way at a time (`busy`). A driver makes processes and network.
 *
 * Who may touch what: `busy`, `alive` and the table are guarded by the room's lock; the sources
 * are dropped on the loop's thread only; everything else of a VM belongs to whoever made it busy.
 */
#ifndef EMU_DRIVER_H
#define EMU_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "limits.h"
#include "listeners.h"
#include "serial.h"
#include "vm.h"

enum { EMU_VM_NAME_MAX = 63, EMU_VM_HOSTNAME_MAX = 253 };

struct emu_vm {
    struct emu_vm *next;
    struct emu_room *room;
    uint64_t id;
    char name[EMU_VM_NAME_MAX + 1];
    char hostname[EMU_VM_HOSTNAME_MAX + 1];
    struct in_addr ip;
    struct emu_limits limits;
    unsigned number; /* of this VM in this room, from 1: short enough for an interface's name */
    struct emu_serial *serial;

    bool busy;        /* a boot or a halt is under way */
    bool alive;       /* `pid` is a child that was not yet waited for */
    bool dirty;       /* it was booted, and not cleaned up since */
    int64_t deadline; /* when one that was asked to end is killed; 0: it was not asked */
    pid_t pid;        /* the child: it ends when the guest's last process has ended */

    int lifeline; /* end of file on its other side is the guest's power switch; -1: none */
    int init;     /* a pidfd of the guest's PID 1 where that is not `pid`; -1: none */
    struct emu_source exited; /* a pidfd of `pid` */
    struct emu_source output; /* the pipe that the guest's console goes to */
    struct emu_listener metadata, api;
    struct emu_way_out ways[EMU_REACH_MAX];
};

struct emu_driver {
    const char *name;
    /* The first and last word. `setup` fails where the driver cannot work and says why. */
    int (*setup)(struct emu_room *room, struct vmcp_error *err);
    void (*teardown)(struct emu_room *room);
    /* Start the VM: emu_vm_watch(), its listeners, its init. After a failure come `kill`, where
     * there is a child, and `clean`. */
    int (*boot)(struct emu_vm *vm, struct vmcp_error *err);
    /* Have the guest's first process run the shutdown script and end. */
    void (*ask)(struct emu_vm *vm);
    /* Make `pid` end. `hard`: it was asked and did not. */
    void (*kill)(struct emu_vm *vm, bool hard);
    /* Remove what is left of it when nothing of it runs any more. */
    void (*clean)(struct emu_vm *vm);
};

extern const struct emu_driver emu_driver_netns, emu_driver_process;

struct emu_room {
    struct emu_room_options options;
    const struct emu_driver *driver; /* NULL: `none` */
    void *state;                     /* the driver's */
    char *folder;                    /* absolute */
    char guest_api[64];
    char why[256];
    struct emu_cgroups cgroups;
    char limits[256]; /* which limits hold, in words */
    struct emu_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a `busy` or `alive` became false */
    struct emu_vm *vms;
    unsigned count;
};

/* The zone in NAME.ZONE.c.PROJECT.internal, into `out`; false if the name is of another form. */
bool emu_vm_zone(const struct emu_vm *vm, char *out, size_t size);

/* Hand a started VM to the room: its child, the read end of its console and the write end of its
 * lifeline, all taken over, also on failure. */
VMCP_MUST_CHECK int emu_vm_watch(struct emu_vm *vm, pid_t pid, int output, int lifeline,
                                 struct vmcp_error *err);

/* A pidfd of the VM's child, to be closed, or a negative code. With setns(2) it also stands for the
 * child's namespaces, whatever /proc is mounted. */
VMCP_MUST_CHECK int emu_vm_pidfd(struct emu_vm *vm, struct vmcp_error *err);

/* The script that is a guest's first process; see guest_init.c. */
extern const char emu_guest_init[];

/* The environment of a guest's init, in which nothing of the emulator's own is: NULL-terminated,
 * emu_env_free(). `metadata` is ADDR:PORT, `api` an origin, as the guest sees them. */
VMCP_MUST_CHECK int emu_guest_env(const struct emu_vm *vm, const char *metadata, const char *api,
                                  const char *home, const char *tmp, char ***ret,
                                  struct vmcp_error *err);

#endif
