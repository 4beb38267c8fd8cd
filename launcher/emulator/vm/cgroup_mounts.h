/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_mounts.h - where this process's control groups are in the file system (cgroups(7)). */
#ifndef EMU_CGROUP_MOUNTS_H
#define EMU_CGROUP_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cgroups.h"

/* The folder of our own v2 group. Returns the length of the mount point that it begins with; 0:
 * there is none. */
size_t emu_cgroup_unified(char ret[static EMU_CGROUP_PATH_MAX]);

/* The same for a controller that is mounted as v1. */
bool emu_cgroup_legacy(const char *controller, char ret[static EMU_CGROUP_PATH_MAX]);

#endif
