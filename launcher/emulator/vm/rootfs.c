/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "spawn.h"

/* In the loop's mount namespace only. bubblewrap wants /tmp for itself too, and so leaves nothing
 * in the host's. */
#define SCRATCH "/tmp"

enum {
    DEPTH_MAX = 16,
    FILE_SIZE_MAX = 4 * 1024 * 1024,
    ETC_SIZE_MAX = 64 * 1024 * 1024,
};

struct copy {
    const struct emu_hidden *hidden;
    uid_t owner;
    int64_t left; /* bytes that still fit */
};

static void copy_file(struct copy *copy, int from_dir, int to_dir, const char *name,
                      const struct stat *st)
{
    if (!(st->st_mode & S_IROTH) || st->st_size > FILE_SIZE_MAX || st->st_size > copy->left)
        return;
    auto_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    mode_t mode = st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) ? 0755 : 0644;
    auto_close int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (from < 0 || to < 0)
        return;
    if (fchmod(to, mode) < 0 || fchown(to, copy->owner, (gid_t)copy->owner) < 0)
        return;
    for (off_t left = st->st_size; left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);
        if (n <= 0)
            break;
        left -= n;
    }
    copy->left -= st->st_size;
}

static void copy_link(const struct copy *copy, int from_dir, int to_dir, const char *name)
{
    char target[4096];
    ssize_t len = readlinkat(from_dir, name, target, sizeof(target) - 1);
    if (len < 0)
        return;
    target[len] = '\0';
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, copy->owner, (gid_t)copy->owner, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* a link's owner is of no consequence */
}

/* Copy what all may read: a guest's root is nobody on the host, but it is root over its own files,
 * and the copy's files are its own. What cannot be copied is left out. */
static void copy_folder(struct copy *copy, int from, int to, const char *path, int depth)
{
    DIR *dir = fdopendir(from);
    if (!dir) {
        close(from);
        return;
    }
    const struct dirent *entry;
    while (depth < DEPTH_MAX && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        auto_free char *below = NULL;
        struct stat st;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (asprintf(&below, "%s/%s", path, name) < 0) {
            below = NULL; /* asprintf leaves it undefined */
            break;
        }
        if (emu_hidden_has(copy->hidden, below) ||
            fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISLNK(st.st_mode))
            copy_link(copy, dirfd(dir), to, name);
        if (S_ISREG(st.st_mode))
            copy_file(copy, dirfd(dir), to, name, &st);
        if (!S_ISDIR(st.st_mode) || (st.st_mode & 05) != 05 || mkdirat(to, name, 0755) < 0)
            continue;
        auto_close int sub_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int sub_from = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub_from >= 0 && sub_to >= 0 && fchmod(sub_to, 0755) == 0 &&
            fchown(sub_to, copy->owner, (gid_t)copy->owner) == 0)
            copy_folder(copy, sub_from, sub_to, below, depth + 1);
        else if (sub_from >= 0)
            close(sub_from);
    }
    closedir(dir);
}

/* A regular file with that content, whatever was there: each guest has its own laid over it, which
 * a link would lead astray. */
static int put(int dir, const char *name, const char *text, uid_t owner, struct vmcp_error *err)
{
    unlinkat(dir, name, 0);
    auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t len = strlen(text);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len || fchmod(fd, 0644) < 0 ||
        fchown(fd, owner, (gid_t)owner) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot write the guests' /etc/%s: %m", name);
    return 0;
}

static int fill(const struct emu_hidden *hidden, uid_t owner, struct vmcp_error *err)
{
    if (mkdir(SCRATCH "/etc", 0755) < 0 || chmod(SCRATCH "/etc", 0755) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make the guests' /etc: %m");
    int from = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_close int to = open(SCRATCH "/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0 || to < 0 || fchown(to, owner, (gid_t)owner) < 0) {
        if (from >= 0)
            close(from);
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot read /etc: %m");
    }
    struct copy copy = {.hidden = hidden, .owner = owner, .left = ETC_SIZE_MAX};
    copy_folder(&copy, from, to, "/etc", 0);
    int rc = put(to, "hosts", "127.0.0.1 localhost\n", owner, err);
    if (rc == 0)
        rc = put(to, "hostname", "localhost\n", owner, err);
    if (rc == 0)
        rc = put(to, "machine-id", "", owner, err);
    if (rc == 0) /* Compute Engine's resolver; here nobody listens, so a query fails at once */
        rc = put(to, "resolv.conf", "nameserver 169.254.169.254\noptions timeout:1 attempts:1\n",
                 owner, err);

    return rc;
}

int emu_rootfs_enter(const struct emu_hidden *hidden, uid_t owner, struct vmcp_error *err)
{
    if (unshare(CLONE_NEWNS) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "no right to make namespaces here (%m); start it inside `unshare -Urnm`");
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("gce-emulator", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot mount a tmpfs: %m");
    return fill(hidden, owner, err);
}

void emu_rootfs_arg(struct vmcp_buf *args, const char *arg)
{
    vmcp_buf_add(args, arg, strlen(arg) + 1);
}

/* Append several, up to a NULL. */
static void add(struct vmcp_buf *args, ...)
{
    va_list list;
    va_start(list, args);
    for (const char *arg; (arg = va_arg(list, const char *));)
        emu_rootfs_arg(args, arg);
    va_end(list);
}

/* /bin and its kin: links into /usr since Debian 12, folders on older systems. */
static void add_top(struct vmcp_buf *args, const char *path)
{
    char target[256];
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    if (len > 0) {
        target[len] = '\0';
        add(args, "--symlink", target, path, (char *)NULL);
    } else if (len < 0 && errno == EINVAL) {
        add(args, "--ro-bind", path, path, (char *)NULL);
    }
}

static void add_mask(struct vmcp_buf *args, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        add(args, "--tmpfs", path, "--remount-ro", path, (char *)NULL);
    else
        add(args, "--ro-bind", "/dev/null", path, (char *)NULL);
}

/* An empty file system of the guest's own. All that a guest can write to are such, so that the
 * sizes bound what its files take of the host's memory. */
static void add_private(struct vmcp_buf *args, const char *path, const char *mode, const char *size)
{
    add(args, "--perms", mode, "--size", size, "--tmpfs", path, (char *)NULL);
}

void emu_rootfs_args(const struct emu_hidden *hidden, struct vmcp_buf *args)
{
    static const char *const tops[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    static const char *const empty[] = {
        "/boot", "/media",     "/mnt",           "/opt",
        "/sys",  "/sys/class", "/sys/class/dmi", "/sys/class/dmi/id"};
    static const char *const var[] = {"/var/cache", "/var/lib", "/var/log", "/var/opt",
                                      "/var/spool"};
    add(args, "--ro-bind", "/usr", "/usr", (char *)NULL);
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
        add_top(args, tops[i]);
    add(args, "--ro-bind", SCRATCH "/etc", "/etc", (char *)NULL);
    for (size_t i = 0; i < hidden->count; i++)
        if (emu_path_below(hidden->paths[i], "/usr"))
            add_mask(args, hidden->paths[i]);
    /* bubblewrap leaves /proc/sys writable to a root that owns it: files there belong to the
     * host's root, and writing them asks for no capability. */
    add(args, "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev",
        (char *)NULL);
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        add(args, "--dir", empty[i], (char *)NULL);
    add(args, "--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu", (char *)NULL);
    add_private(args, "/tmp", "1777", "1073741824");
    add_private(args, "/var", "0755", "1073741824");
    add_private(args, "/srv", "0755", "1073741824");
    add_private(args, "/home", "0755", "1073741824");
    add_private(args, "/root", "0700", "1073741824");
    add_private(args, "/run", "0755", "67108864");
    add_private(args, "/dev/shm", "1777", "67108864");
    for (size_t i = 0; i < sizeof(var) / sizeof(var[0]); i++)
        add(args, "--dir", var[i], (char *)NULL);
    add(args, "--perms", "1777", "--dir", "/var/tmp", "--perms", "1777", "--dir", "/run/lock",
        "--symlink", "/run", "/var/run", "--symlink", "/run/lock", "/var/lock", (char *)NULL);
}

void emu_rootfs_seal(struct vmcp_buf *args)
{
    /* bubblewrap's /dev is a tmpfs without a size. Its devices are mounts of their own. */
    add(args, "--remount-ro", "/dev", "--remount-ro", "/", (char *)NULL);
}
