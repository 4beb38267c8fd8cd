/* SPDX-License-Identifier: Apache-2.0 */
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/auto.h"

/* True when the ids of EMU_USERNS_BASE are ours to give: user_namespaces(7), "uid_map". */
static bool have_ids(const char *map)
{
    auto_fclose FILE *file = fopen(map, "re");
    unsigned long inside = 0;
    unsigned long outside = 0;
    unsigned long count = 0;
    while (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
        if (inside <= EMU_USERNS_BASE && inside + count >= EMU_USERNS_BASE + EMU_USERNS_COUNT)
            return true;
    return false;
}

static int write_map(pid_t pid, const char *name, bool many, struct vmcp_error *err)
{
    char path[64];
    char text[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int len = snprintf(text, sizeof(text), "0 %d %d\n", many ? EMU_USERNS_BASE : 0,
                       many ? EMU_USERNS_COUNT : 1);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)len) != len)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "no right to give user ids to guests (%m); start inside "
                         "`unshare -Urnm`");
    return 0;
}

/* A child that sits in a new user namespace until it is killed; read from `ready` to wait for it.
 */
static pid_t hold_namespace(int ready)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char word = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (write(ready, &word, 1) == 1)
        for (;;)
            pause();
    _exit(1);
}

static int take(pid_t pid, bool many, int *ret_fd, struct vmcp_error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    int rc = write_map(pid, "uid_map", many, err);
    if (rc == 0)
        rc = write_map(pid, "gid_map", many, err);
    if (rc < 0)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot open a user namespace: %m");
    *ret_fd = fd;
    return 0;
}

int emu_userns_new(int *ret_fd, uid_t *ret_owner, struct vmcp_error *err)
{
    *ret_fd = -1;
    *ret_owner = 0;
    bool many = have_ids("/proc/self/uid_map") && have_ids("/proc/self/gid_map");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int from = ends[0];
    auto_close int to = ends[1];
    pid_t pid = hold_namespace(to);
    if (pid < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a process: %m");
    close(to);
    to = -1; /* so that a child that died shows as end of file */
    char word = 'n';
    ssize_t got = TEMP_FAILURE_RETRY(read(from, &word, 1));
    int rc = got == 1 && word == 'y'
                 ? take(pid, many, ret_fd, err)
                 : vmcp_fail(err, VMCP_E_INTERNAL,
                             "no right to make user namespaces here (see the sysctl "
                             "user.max_user_namespaces); start inside `unshare -Urnm`");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (rc == 0 && many)
        *ret_owner = EMU_USERNS_BASE;
    return rc < 0 && !many ? 0 : rc; /* nothing is lost but limits of its own */
}
