/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"

#define PREFIX "gce-emulator-"

enum { OPEN_MAX_HERE = 8, RANDOM_LEN = 6, TRIES = 8 };

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) == 0 ? 0 : -1;
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS);
}

/* A folder of ours, of this user's, that no emulator has locked: its owner was killed. */
static bool is_leftover(const char *path)
{
    struct stat st;
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0 &&
           flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_leftovers(const char *tmp)
{
    DIR *dir = opendir(tmp);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        auto_free char *path = NULL;
        if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) != 0 ||
            strlen(entry->d_name) != sizeof(PREFIX) - 1 + RANDOM_LEN)
            continue;
        if (asprintf(&path, "%s/%s", tmp, entry->d_name) < 0)
            path = NULL; /* asprintf leaves it undefined */
        else if (is_leftover(path))
            remove_tree(path);
    }
    if (dir)
        closedir(dir);
}

/* A new folder, locked as long as we live. One that starts now may take it for a leftover before it
 * is: then it has no name any more, and another is made. */
static int make_temporary(char **ret_name, int *ret_lock, struct vmcp_error *err)
{
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    remove_leftovers(tmp);
    for (int i = 0; i < TRIES; i++) {
        struct stat st;
        auto_free char *name = NULL;
        if (asprintf(&name, "%s/" PREFIX "XXXXXX", tmp) < 0)
            name = NULL;
        if (!name || !mkdtemp(name))
            return vmcp_fail_at(err, VMCP_E_FILE, name ? name : "", "no temporary folder: %m");
        auto_close int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || stat(name, &st) < 0)
            continue;
        *ret_name = steal(&name);
        *ret_lock = steal_fd(&fd);
        return 0;
    }
    return vmcp_fail_at(err, VMCP_E_FILE, tmp, "no temporary folder can be kept here");
}

int emu_folder_open(const char *path, struct emu_folder *ret, struct vmcp_error *err)
{
    auto_free char *name = NULL;
    auto_close int lock = -1;
    if (!path) {
        int rc = make_temporary(&name, &lock, err);
        if (rc < 0)
            return rc;
    } else if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return vmcp_fail_at(err, VMCP_E_FILE, path, "the folder cannot be made: %s",
                            strerror(errno));
    }
    char *absolute = realpath(path ? path : name, NULL);
    struct stat st;
    if (!absolute || stat(absolute, &st) < 0 || !S_ISDIR(st.st_mode)) {
        free(absolute);
        return vmcp_fail_at(err, VMCP_E_FILE, path ? path : name, "not a folder");
    }
    *ret = (struct emu_folder){.path = absolute, .temporary = !path, .lock = steal_fd(&lock)};
    return 0;
}

void emu_folder_clear(struct emu_folder *folder)
{
    if (folder->temporary) {
        remove_tree(folder->path);
        close(folder->lock);
    }
    free(folder->path);
    *folder = (struct emu_folder){0};
}

char *emu_folder_of(const char *file)
{
    auto_free char *copy = strdup(file);
    return copy ? realpath(dirname(copy), NULL) : NULL;
}
