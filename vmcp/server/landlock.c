/* SPDX-License-Identifier: Apache-2.0 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commons.h"

/* What came after the headers of Linux 6.1, by the version of the interface that brought it. */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_DEVICES = 5, ABI_SCOPES = 6 };
#define FS_TRUNCATE          (UINT64_C(1) << 14)
#define FS_IOCTL_DEV         (UINT64_C(1) << 15)
#define NET_BIND_CONNECT_TCP UINT64_C(3)
#define SCOPE_ABSTRACT_UNIX  (UINT64_C(1) << 0)
#define SCOPE_SIGNAL         (UINT64_C(1) << 1)

struct ruleset {
    uint64_t files, net, scopes;
};

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
enum { LINKS_MAX = 40 }; /* as the kernel follows */

static const uint64_t rights[] = {
    [SRV_ACCESS_READ] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    [SRV_ACCESS_WRITE] = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
    [SRV_ACCESS_REMOVE] = LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

/* All that this version can refuse is refused, but for what a rule allows. */
static struct ruleset everything(int abi)
{
    struct ruleset all = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    if (abi >= ABI_REFER)
        all.files |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= ABI_TRUNCATE)
        all.files |= FS_TRUNCATE;
    if (abi >= ABI_NET)
        all.net = NET_BIND_CONNECT_TCP;
    if (abi >= ABI_DEVICES)
        all.files |= FS_IOCTL_DEV;
    if (abi >= ABI_SCOPES)
        all.scopes = SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX;
    return all;
}

/* Older kernels take the shorter structure that they know. */
static size_t ruleset_size(int abi)
{
    if (abi >= ABI_SCOPES)
        return sizeof(struct ruleset);
    return abi >= ABI_NET ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

int srv_landlock_begin(struct srv_landlock *landlock, struct vmcp_error *err)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    *landlock = (struct srv_landlock)SRV_LANDLOCK_OFF;
    if (abi <= 0)
        return 0;
    const struct ruleset all = everything((int)abi);
    long fd = syscall(SYS_landlock_create_ruleset, &all, ruleset_size((int)abi), 0);
    if (fd < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "Landlock refuses its rules: %s; --sandbox off does without",
                         strerror(errno));
    landlock->fd = (int)fd;
    landlock->abi = (int)abi;
    return 0;
}

/* What cannot be opened here will not be opened later either, but for files that come: those are
 * in a folder. */
static void allow(const struct srv_landlock *landlock, const char *path, uint64_t access)
{
    struct stat st;
    auto_close int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return;
    const struct landlock_path_beneath_attr rule = {
        .allowed_access = S_ISDIR(st.st_mode) ? access : access & OF_FILES, .parent_fd = fd};
    if (rule.allowed_access)
        (void)syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* The folder that holds `path`. */
static void holder_of(const char *path, char ret[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    snprintf(ret, PATH_MAX, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
             slash ? path : ".");
}

/* Allow the folder that holds `path`, so that its name may come to mean another file; not where
 * others keep theirs. */
static void allow_holder(const struct srv_landlock *landlock, const char *path, uint64_t access)
{
    char folder[PATH_MAX];
    holder_of(path, folder);
    if (!srv_folder_is_common(folder))
        allow(landlock, folder, access);
}

/* Is path[0..end) a link? Then *ret is the path with that link followed once. */
static bool follow(const char *path, size_t end, char ret[static PATH_MAX])
{
    char link[PATH_MAX], target[PATH_MAX];
    snprintf(link, sizeof(link), "%.*s", (int)end, path);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *slash = strrchr(link, '/');
    int keep = target[0] == '/' || !slash ? 0 : (int)(slash - link) + 1;
    return snprintf(ret, PATH_MAX, "%.*s%s%s", keep, link, target, path + end) < PATH_MAX;
}

/* Follow the links on the way to `path`, allow what holds each, and leave the path without links
 * behind. */
static void walk(const struct srv_landlock *landlock, char path[static PATH_MAX], uint64_t access)
{
    char next[PATH_MAX];
    size_t end = 0;
    for (int links = 0; path[end] && links < LINKS_MAX;) {
        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        if (!follow(path, end, next))
            continue;
        path[end] = '\0';
        allow_holder(landlock, path, access);
        memcpy(path, next, PATH_MAX);
        end = 0;
        links++;
    }
}

static bool copy_path(const struct srv_landlock *landlock, const char *path,
                      char ret[static PATH_MAX])
{
    if (landlock->fd < 0 || !path || !path[0] || strlen(path) >= PATH_MAX)
        return false;
    memcpy(ret, path, strlen(path) + 1);
    for (size_t len = strlen(ret); len > 1 && ret[len - 1] == '/';)
        ret[--len] = '\0';
    return true;
}

enum srv_width srv_landlock_allow_file(const struct srv_landlock *landlock, const char *path,
                                       enum srv_access access)
{
    char copy[PATH_MAX], folder[PATH_MAX];
    if (!copy_path(landlock, path, copy))
        return SRV_WIDTH_OWN;
    walk(landlock, copy, rights[access]);
    holder_of(copy, folder);
    bool own = !srv_folder_is_common(folder);
    bool whole = own || (access == SRV_ACCESS_READ && !srv_folder_is_root(folder));
    allow(landlock, whole ? folder : copy, rights[access]);
    return own ? SRV_WIDTH_OWN : whole ? SRV_WIDTH_COMMON : SRV_WIDTH_FILE;
}

enum srv_width srv_landlock_allow_folder(const struct srv_landlock *landlock, const char *path)
{
    char copy[PATH_MAX];
    if (!copy_path(landlock, path, copy))
        return SRV_WIDTH_OWN;
    walk(landlock, copy, rights[SRV_ACCESS_READ]);
    allow_holder(landlock, copy, rights[SRV_ACCESS_READ]);
    allow(landlock, copy, rights[SRV_ACCESS_READ]);
    return srv_folder_is_common(copy) ? SRV_WIDTH_COMMON : SRV_WIDTH_OWN;
}

void srv_landlock_allow_fixed(const struct srv_landlock *landlock, const char *path)
{
    if (landlock->fd >= 0 && path)
        allow(landlock, path, rights[SRV_ACCESS_READ]);
}

int srv_landlock_enter(const struct srv_landlock *landlock, struct vmcp_error *err)
{
    if (landlock->fd < 0 || syscall(SYS_landlock_restrict_self, landlock->fd, 0) == 0)
        return 0;
    return vmcp_fail(err, VMCP_E_INTERNAL,
                     "Landlock does not take effect: %s; --sandbox off does without",
                     strerror(errno));
}

void srv_landlock_clear(struct srv_landlock *landlock)
{
    if (landlock->fd >= 0)
        close(landlock->fd);
    *landlock = (struct srv_landlock)SRV_LANDLOCK_OFF;
}
