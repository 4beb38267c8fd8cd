/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what a VM may take of this machine, from its machine type.
 *
 * Control groups where they can be had; for what they do not cover, limits of each process
 * (setrlimit(2)), which are weaker: the words of emu_limits_tell() say which hold.
 */
#ifndef EMU_LIMITS_H
#define EMU_LIMITS_H

#include <stddef.h>

#include "cgroups.h"

enum {
    EMU_PROCESSES_PER_CPU = 1024, /* processes and threads */
    EMU_PROCESSES_MAX = 16384,
};

/* The limits of a machine of that shape. */
struct emu_limits emu_limits_of(int cpus, int memory_mb);

/* Lay what `controllers` does not cover upon this process and its children. Between fork and exec:
 * async-signal-safe. Below 0: errno says why. */
int emu_limits_enter(const struct emu_limits *limits, unsigned controllers);

/* "CPU, memory and processes of each VM by cgroups v2" and the like, into `text`. */
void emu_limits_tell(const struct emu_cgroups *cgroups, char *text, size_t size);

#endif
