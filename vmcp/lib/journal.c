/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "file.h"
#include "json.h"

enum { JOURNAL_MAX = 256 * 1024 };

const char *vmcp_rotation_kind_name(enum vmcp_rotation_kind kind)
{
    static const char *const names[VMCP_ROTATION_KINDS] = {"promote", "retire", "make", "remove"};
    return names[kind];
}

int vmcp_journal_write(const char *dir, const struct vmcp_rotation *rotation,
                       struct vmcp_error *err)
{
    auto_free char *path = NULL;
    json_auto_t *steps = json_array();
    for (size_t i = 0; i < rotation->count; i++) {
        const struct vmcp_rotation_step *s = &rotation->steps[i];
        if (json_array_append_new(steps, json_pack("{s:s, s:s, s:s, s:s}", "do",
                                                   vmcp_rotation_kind_name(s->kind), "from",
                                                   s->from, "to", s->to, "key", s->thumbprint)) < 0)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the journal");
    }
    json_auto_t *document = json_pack("{s:O}", "steps", steps);
    auto_free char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the journal");
    int rc = vmcp_file_path(dir, VMCP_KEYRING_JOURNAL, &path, err);
    return rc < 0 ? rc : vmcp_file_replace(path, 0600, text, strlen(text), err);
}

/* "next/NAME": one of the three folders and a plain file name. A journal is read with the rights of
 * whoever rotates, so it may not lead out of the keys folder. */
static bool is_inside(const char *path)
{
    const char *slash = strchr(path, '/');
    if (!slash || strlen(path) > VMCP_ROTATION_PATH_MAX)
        return false;
    const char *name = slash + 1;
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (int i = 0; i < VMCP_KEY_STATES; i++) {
        const char *folder = vmcp_key_state_name((enum vmcp_key_state)i);
        if (strlen(folder) == (size_t)(slash - path) && strncmp(path, folder, strlen(folder)) == 0)
            return true;
    }
    return false;
}

static bool read_step(const json_t *json, struct vmcp_rotation_step *ret)
{
    const char *kind, *from, *to, *thumbprint;
    if (json_unpack((json_t *)(uintptr_t)json, "{s:s, s:s, s:s, s:s !}", "do", &kind, "from", &from,
                    "to", &to, "key", &thumbprint) < 0)
        return false;
    enum vmcp_rotation_kind k = 0;
    while (k < VMCP_ROTATION_KINDS && strcmp(vmcp_rotation_kind_name(k), kind) != 0)
        k++;
    if (k == VMCP_ROTATION_KINDS || !is_inside(from) ||
        strlen(thumbprint) >= sizeof(ret->thumbprint) ||
        (k == VMCP_ROTATION_REMOVE ? *to != '\0' : !is_inside(to)))
        return false;
    ret->kind = k;
    snprintf(ret->from, sizeof(ret->from), "%s", from);
    snprintf(ret->to, sizeof(ret->to), "%s", to);
    snprintf(ret->thumbprint, sizeof(ret->thumbprint), "%s", thumbprint);
    return true;
}

static int parse(const char *path, const struct vmcp_buf *b, struct vmcp_rotation *ret,
                 struct vmcp_error *err)
{
    json_auto_t *document = NULL;
    struct vmcp_rotation read = {.resumed = true};
    if (vmcp_json_parse_object(b->data ? b->data : "", b->len, &document, NULL) < 0)
        return vmcp_fail_at(err, VMCP_E_STATE, path, "is not a rotation's journal");
    const json_t *steps = json_object_get(document, "steps");
    bool good = json_is_array(steps) && json_array_size(steps) <= 2 * VMCP_KEYRING_MAX;
    for (size_t i = 0; good && i < json_array_size(steps); i++)
        good = read_step(json_array_get(steps, i), &read.steps[read.count++]);
    if (!good)
        return vmcp_fail_at(err, VMCP_E_STATE, path,
                            "is not a rotation's journal; look at active/, next/ and retired/, "
                            "then remove it");
    *ret = read;
    return 0;
}

int vmcp_journal_read(const char *dir, struct vmcp_rotation *ret, bool *ret_found,
                      struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_buf struct vmcp_buf b = VMCP_BUF(JOURNAL_MAX);
    int rc = vmcp_file_path(dir, VMCP_KEYRING_JOURNAL, &path, err);
    if (rc < 0)
        return rc;
    *ret_found =
        faccessat(fd, VMCP_KEYRING_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
    if (!*ret_found)
        return 0;
    rc = vmcp_file_read_at(fd, VMCP_KEYRING_JOURNAL, &b, err);
    return rc < 0 ? rc : parse(path, &b, ret, err);
}

/* What was to be moved is nowhere: somebody took it away in between, and no run can go on alone. */
static int fail_gone(const struct vmcp_rotation_step *s, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_STATE, s->from,
                        "neither this nor %s is there, so the rotation that was begun cannot go "
                        "on. Put the key back; or see that active/ has the right keys, remove "
                        "the folder's " VMCP_KEYRING_JOURNAL ", and rotate again",
                        s->to);
}

static int fail_step(const struct vmcp_rotation_step *s, struct vmcp_error *err)
{
    if (s->to[0] && errno == ENOENT)
        return fail_gone(s, err);
    return vmcp_fail_at(err, VMCP_E_FILE, s->from, "cannot be %s: %s",
                        s->to[0] ? "moved" : "removed", strerror(errno));
}

/* 0 if it was moved, now or before; -1 with errno. A file is never replaced. */
static int move(int dirfd, const char *from, const char *to)
{
    struct stat st;
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0) {
        /* Not every file system counts a rename as a change of the file; the time in the new state
         * is told by it. */
        const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
        return utimensat(dirfd, to, times, AT_SYMLINK_NOFOLLOW);
    }
    int moved = errno == ENOENT && fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return moved ? 0 : -1;
}

static int perform_step(int dirfd, const struct vmcp_rotation_step *s, struct vmcp_error *err)
{
    char from_pub[sizeof(s->from) + 4], to_pub[sizeof(s->to) + 4];
    snprintf(from_pub, sizeof(from_pub), "%s.pub", s->from);
    snprintf(to_pub, sizeof(to_pub), "%s.pub", s->to);
    if (!s->to[0]) {
        if ((unlinkat(dirfd, s->from, 0) < 0 && errno != ENOENT) ||
            (unlinkat(dirfd, from_pub, 0) < 0 && errno != ENOENT))
            return fail_step(s, err);
        return 0;
    }
    /* A key without a .pub beside it is fine. */
    if (move(dirfd, s->from, s->to) < 0 || (move(dirfd, from_pub, to_pub) < 0 && errno != ENOENT))
        return fail_step(s, err);
    return 0;
}

static int sync_folders(int dirfd, struct vmcp_error *err)
{
    for (int i = 0; i < VMCP_KEY_STATES; i++) {
        const char *name = vmcp_key_state_name((enum vmcp_key_state)i);
        auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
            return vmcp_fail_at(err, VMCP_E_FILE, name, "cannot be written to the disk: %s",
                                strerror(errno));
    }
    return 0;
}

int vmcp_journal_perform(const char *dir, const struct vmcp_rotation *rotation,
                         struct vmcp_error *err)
{
    auto_close int lock = -1;
    int rc = vmcp_keyring_lock(dir, VMCP_LOCK_EXCLUSIVE, &lock, err);
    for (size_t i = 0; rc == 0 && i < rotation->count; i++)
        rc = perform_step(lock, &rotation->steps[i], err);
    if (rc == 0)
        rc = sync_folders(lock, err);
    if (rc == 0 &&
        ((unlinkat(lock, VMCP_KEYRING_JOURNAL, 0) < 0 && errno != ENOENT) || fsync(lock) < 0))
        rc = vmcp_fail_at(err, VMCP_E_FILE, dir, "the journal cannot be removed: %s",
                          strerror(errno));
    return rc;
}
