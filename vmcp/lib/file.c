/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "auto.h"

static int fail_errno(struct vmcp_error *err, const char *path, const char *what)
{
    return vmcp_fail_at(err, VMCP_E_FILE, path, "%s: %s", what, strerror(errno));
}

int vmcp_file_path(const char *folder, const char *name, char **ret, struct vmcp_error *err)
{
    size_t len = strlen(folder);
    if (asprintf(ret, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", name) >= 0)
        return 0;
    *ret = NULL;
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
}

/* systemd gives a service its credentials as 0440 files that only it can reach. */
static bool is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t len = folder ? strlen(folder) : 0;
    return len > 1 && folder[0] == '/' && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           !strstr(path + len, "/../");
}

static int check_private(const char *path, const struct stat *st, struct vmcp_error *err)
{
    mode_t refused = is_credential(path) ? 0137 : 0177;
    if (st->st_mode & refused & 077)
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, path,
                            "mode %04o lets others at a private file; mend it with: chmod 600 %s",
                            (unsigned)(st->st_mode & 07777), path);
    return 0;
}

/* Read to the end of the file, or to one byte over the limit. */
static int slurp(int fd, const char *path, struct vmcp_buf *b, struct vmcp_error *err)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, path, "cannot be read");
        if (n == 0)
            break;
        vmcp_buf_add(b, chunk, (size_t)n);
        explicit_bzero(chunk, (size_t)n);
        if (b->failed)
            break;
    }
    int rc = vmcp_buf_check(b, "the file", err);
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}

static int read_open(int fd, const char *path, enum vmcp_file_kind kind, struct vmcp_buf *b,
                     struct vmcp_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail_errno(err, path, "cannot be read");
    if (S_ISDIR(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, path, "is a folder; a file is wanted");
    int rc = 0;
    if (kind == VMCP_FILE_PRIVATE && S_ISREG(st.st_mode))
        rc = check_private(path, &st, err);
    int read_rc = slurp(fd, path, b, rc < 0 ? NULL : err);
    return rc < 0 ? rc : read_rc;
}

/* Nobody may ever write into one: a server that reads its files again would hang there, and who may
 * make a file in one folder could keep it from stopping. What has no name is the caller's own. */
static bool is_named_pipe(int fd)
{
    struct stat st;
    struct statfs fs;
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
           (fstatfs(fd, &fs) < 0 || fs.f_type != PIPEFS_MAGIC);
}

int vmcp_file_read(const char *path, enum vmcp_file_kind kind, struct vmcp_buf *b,
                   struct vmcp_error *err)
{
    if (strcmp(path, "-") == 0)
        return slurp(STDIN_FILENO, "standard input", b, err);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(err, path, "cannot be opened");
    if (is_named_pipe(fd))
        return vmcp_fail_at(err, VMCP_E_FILE, path, "is a named pipe; a regular file is wanted");
    if (fcntl(fd, F_SETFL, O_RDONLY) < 0) /* the shell's <(…) is worth waiting for */
        return fail_errno(err, path, "cannot be read");
    return read_open(fd, path, kind, b, err);
}

int vmcp_file_read_at(int dirfd, const char *name, struct vmcp_buf *b, struct vmcp_error *err)
{
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return vmcp_fail_at(err, VMCP_E_FILE, name,
                            "a plain file name of the same folder is wanted");
    /* Not blocking: a pipe without a writer would hold us here for ever. */
    auto_close int fd =
        openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ELOOP)
        return vmcp_fail_at(err, VMCP_E_FILE, name, "is a symbolic link; a plain file is wanted");
    if (fd < 0)
        return fail_errno(err, name, "cannot be opened");
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, name, "is not a regular file");
    return read_open(fd, name, VMCP_FILE_PUBLIC, b, err);
}

static int write_all(int fd, const char *path, const void *data, size_t len, struct vmcp_error *err)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, path, "cannot be written");
        p += n;
        len -= (size_t)n;
    }
    if (fsync(fd) < 0 && errno != EINVAL)
        return fail_errno(err, path, "cannot be written to the disk");
    return 0;
}

/* A name is durable only when its folder is. */
static int sync_folder(const char *path, struct vmcp_error *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return vmcp_fail_at(err, VMCP_E_NO_MEMORY, path, "no memory for a path");
    auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return fail_errno(err, path, "its folder cannot be written to the disk");
    return 0;
}

static int fill(int fd, const char *path, mode_t mode, const void *data, size_t len,
                struct vmcp_error *err)
{
    /* fchmod: the umask does not count */
    return fchmod(fd, mode) < 0 ? fail_errno(err, path, "its mode cannot be set")
                                : write_all(fd, path, data, len, err);
}

static int fail_exists(const char *path, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_FILE_EXISTS, path,
                        "is there already and is never overwritten; choose another name, or "
                        "move it away first");
}

/* A file that has no name yet, in the folder of `path`. -1 where the file system has no such thing.
 */
static int open_unnamed(const char *path)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    return folder ? open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600) : -1;
}

/* Whole before it has a name: whoever kills us leaves the file complete or not there. */
static int create_unnamed(int fd, const char *path, mode_t mode, const void *data, size_t len,
                          bool *ret_linked, struct vmcp_error *err)
{
    char self[40];
    int rc = fill(fd, path, mode, data, len, err);
    if (rc < 0)
        return rc;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    *ret_linked = linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
    return !*ret_linked && errno == EEXIST ? fail_exists(path, err) : 0;
}

static int create_named(const char *path, mode_t mode, const void *data, size_t len,
                        struct vmcp_error *err)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return fail_exists(path, err);
    if (fd < 0)
        return fail_errno(err, path, "cannot be created");
    int rc = fill(fd, path, mode, data, len, err);
    if (rc < 0)
        unlink(path);
    return rc;
}

int vmcp_file_create(const char *path, mode_t mode, const void *data, size_t len,
                     struct vmcp_error *err)
{
    auto_close int fd = open_unnamed(path);
    bool linked = false;
    int rc = fd >= 0 ? create_unnamed(fd, path, mode, data, len, &linked, err) : 0;
    if (rc == 0 && !linked)
        rc = create_named(path, mode, data, len, err);
    if (rc < 0)
        return rc;
    rc = sync_folder(path, err);
    if (rc < 0)
        unlink(path);
    return rc;
}

int vmcp_file_replace(const char *path, mode_t mode, const void *data, size_t len,
                      struct vmcp_error *err)
{
    auto_free char *temp = NULL;
    if (asprintf(&temp, "%s.XXXXXX", path) < 0) {
        temp = NULL;
        return vmcp_fail_at(err, VMCP_E_NO_MEMORY, path, "no memory for a path");
    }
    auto_close int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, path, "no temporary file can be made beside it");
    int rc = fill(fd, path, mode, data, len, err);
    if (rc == 0 && rename(temp, path) < 0)
        rc = fail_errno(err, path, "cannot be replaced");
    if (rc < 0) {
        unlink(temp);
        return rc;
    }
    return sync_folder(path, err);
}
