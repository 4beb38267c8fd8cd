/* SPDX-License-Identifier: Apache-2.0 */
/* cgroups.h - a control group for each VM, where this machine lets us make them.
 *
 * cgroups v2 where its controllers can be had: the nearest group at or above the emulator's own
 * that hands `memory` and `pids` on and that we may write to (as root, in a delegated unit, below
 * `systemd-run --user`). Controllers that are still mounted as v1 are taken there. In each such
 * place stands one folder of this emulator, locked while it lives, and in it one folder a VM.
 * Folders without an owner, of an emulator that was killed, are removed by the next.
 */
#ifndef EMU_CGROUPS_H
#define EMU_CGROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

enum { EMU_CGROUP_PLACES = 3, EMU_CGROUP_PATH_MAX = 1024 };

enum emu_controller {
    EMU_CGROUP_MEMORY = 1,
    EMU_CGROUP_PIDS = 2,
    EMU_CGROUP_CPU = 4,
    EMU_CGROUP_ALL = 7,
};

struct emu_cgroup_place {
    char path[EMU_CGROUP_PATH_MAX]; /* our folder */
    unsigned controllers;
    bool v2;
    int lock;
};

struct emu_cgroups {
    struct emu_cgroup_place places[EMU_CGROUP_PLACES];
    size_t count;
    unsigned controllers; /* of all of them */
};

/* What a VM may have. */
struct emu_limits {
    int cpus, memory_mb, processes;
};

/* Take what can be had, which may be nothing. */
void emu_cgroups_open(struct emu_cgroups *cgroups);
void emu_cgroups_close(struct emu_cgroups *cgroups);

/* Make the groups of VM `number`. A process that writes "0" to each of ret_procs joins them; the
 * caller closes them. */
VMCP_MUST_CHECK int emu_cgroups_make(const struct emu_cgroups *cgroups, unsigned number,
                                     const struct emu_limits *limits,
                                     int ret_procs[static EMU_CGROUP_PLACES], size_t *ret_count,
                                     struct vmcp_error *err);
/* Kill what is left in them, and remove them. */
void emu_cgroups_remove(const struct emu_cgroups *cgroups, unsigned number);

#endif
