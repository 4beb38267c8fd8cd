/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - start programs from a process that has threads.
 *
 * Between fork and exec only async-signal-safe calls are made (POSIX.1-2017, fork), and a child
 * gets the descriptors that it is given and no others, whatever the rest of the process has open.
 * It leaves the session keyring: kernel keys of whoever started this process are none of its own.
 *
 *     struct emu_spawn spawn = EMU_SPAWN;
 *     spawn.argv = (const char *const[]){"/usr/sbin/ip", "-batch", "-", NULL};
 *     int rc = emu_run(&spawn, "link set lo up\n", NULL, &err);
 */
#ifndef EMU_SPAWN_H
#define EMU_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/error.h"
#include "limits.h"

enum { EMU_SPAWN_FDS_MAX = 16 };

/* What to start. All borrowed. Begin with EMU_SPAWN: descriptor 0 is one that could be meant. */
struct emu_spawn {
    const char *const *argv; /* argv[0] is a path */
    char *const *envp;       /* NULL: an empty environment but for PATH */
    int in, out;             /* -1: /dev/null */
    int err;                 /* -1: where `out` goes */
    const int *fds;          /* become 3, 4, ... in the child */
    size_t fd_count;         /* up to EMU_SPAWN_FDS_MAX */
    int userns;              /* a user namespace to become root of, or -1 */
    int netns;               /* a network namespace to enter, as setns(2) takes it, or -1 */
    int death_signal;        /* sent when the thread that spawned ends; 0: none */
    bool new_netns;          /* make a network namespace for it, owned by `userns` */
    bool subreaper;          /* orphans below the child become its children */
    const int *cgroups;      /* the cgroup.procs of groups that it joins */
    size_t cgroup_count;
    const struct emu_limits *limits; /* what it may take; NULL: all */
    unsigned limited;                /* the controllers that see to that already */
};

#define EMU_SPAWN                                                 \
    {                                                             \
        .in = -1, .out = -1, .err = -1, .userns = -1, .netns = -1 \
    }

/* Start it, in a session of its own. *ret is a child of this process, for the caller to wait for.
 * Errors: VMCP_E_INTERNAL; a program that could not be run has failed here already. */
VMCP_MUST_CHECK int emu_spawn(const struct emu_spawn *spawn, pid_t *ret, struct vmcp_error *err);

/* Run a program to its end, at most 10 s: `input` (NULL: none) on its standard input, what it
 * prints into `out` (NULL: dropped but for the error message). Any exit code but 0 is
 * VMCP_E_INTERNAL, with the first line that it printed. */
VMCP_MUST_CHECK int emu_run(const struct emu_spawn *spawn, const char *input, struct vmcp_buf *out,
                            struct vmcp_error *err);

/* The path of a system program in the folders where distributions keep them; an ordinary user's
 * PATH often lacks /usr/sbin. NULL if it is not installed, otherwise free(). */
char *emu_find_program(const char *name);

/* An anonymous file in memory that holds `len` bytes, rewound, close-on-exec. */
VMCP_MUST_CHECK int emu_memfd(const void *data, size_t len, int *ret_fd, struct vmcp_error *err);

/* True when `path` is `folder` or lies below it; both absolute, without a trailing slash. */
bool emu_path_below(const char *path, const char *folder);

#endif
