/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/file.h"

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
}

/* A file's name is durable only when those of its folders are. */
static void sync_parent(const char *path)
{
    auto_free char *parent = strdup(path);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (!slash)
        return;
    slash[slash == parent ? 1 : 0] = '\0';
    auto_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* a file system that cannot says EINVAL, and there is no more to do */
}

int launch_folders_make(const char *path, struct vmcp_error *err)
{
    auto_free char *p = strdup(path);
    if (!p)
        return no_memory(err);
    for (char *slash = p + 1;; slash++) {
        slash += strcspn(slash, "/");
        char was = *slash;
        *slash = '\0';
        bool made = mkdir(p, 0700) == 0;
        if (!made && errno != EEXIST)
            return vmcp_fail_at(err, VMCP_E_FILE, p, "cannot be made: %s", strerror(errno));
        if (made)
            sync_parent(p);
        *slash = was;
        if (!was)
            return 0;
    }
}

static int choose_dir(const char *given, char **ret, struct vmcp_error *err)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given)
        *ret = strdup(given);
    else if (geteuid() == 0)
        *ret = strdup("/var/lib/vmcp-launch");
    else if (xdg && xdg[0] == '/')
        return vmcp_file_path(xdg, "vmcp-launch", ret, err);
    else if (home && home[0] == '/')
        return vmcp_file_path(home, ".local/state/vmcp-launch", ret, err);
    else
        return vmcp_fail(err, VMCP_E_FILE, "no place for state: HOME is not set; give --state-dir");
    return *ret ? 0 : no_memory(err);
}

/* Whoever may write a folder above can put another state in the place of this one, with a lower
 * serial. Where the sticky bit is set only owners can. */
static int check_above(const char *path, struct vmcp_error *err)
{
    auto_free char *p = strdup(path);
    struct stat st;
    if (!p)
        return no_memory(err);
    for (char *slash = strrchr(p, '/'); slash; slash = strrchr(p, '/')) {
        slash[slash == p ? 1 : 0] = '\0';
        if (stat(p, &st) == 0 && (st.st_mode & 022) && !(st.st_mode & S_ISVTX))
            return vmcp_fail_at(err, VMCP_E_FILE_MODE, p,
                                "others may write this folder, and put another state in the place "
                                "of the one below it; mend it with: chmod go-w %s",
                                p);
        if (slash == p)
            break;
    }
    return 0;
}

int launch_state_dir(const char *given, char **ret_dir, struct vmcp_error *err)
{
    auto_free char *dir = NULL;
    struct stat st;
    int rc = choose_dir(given, &dir, err);
    if (rc == 0)
        rc = launch_folders_make(dir, err);
    if (rc < 0)
        return rc;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "is not a folder");
    if (st.st_uid != geteuid() || (st.st_mode & 077))
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, dir,
                            "others can reach the state; mend it with: chown %u %s; chmod 700 %s",
                            (unsigned)geteuid(), dir, dir);
    auto_free char *real = realpath(dir, NULL);
    if (!real)
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "cannot be found: %s", strerror(errno));
    rc = check_above(dir, err); /* the links on the way, and where they lead */
    if (rc == 0)
        rc = check_above(real, err);
    if (rc < 0)
        return rc;
    *ret_dir = steal(&dir);
    return 0;
}
