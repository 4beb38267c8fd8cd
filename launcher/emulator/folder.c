/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/auto.h"

int emu_folder_open(const char *path, struct emu_folder *ret, struct vmcp_error *err)
{
    const char *tmp = getenv("TMPDIR");
    auto_free char *name = NULL;
    if (!path) {
        if (asprintf(&name, "%s/gce-emulator-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
            name = NULL;
        if (!name || !mkdtemp(name))
            return vmcp_fail_at(err, VMCP_E_FILE, name ? name : "", "no temporary folder: %s",
                                strerror(errno));
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
    *ret = (struct emu_folder){.path = absolute, .temporary = !path};
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) == 0 ? 0 : -1;
}

void emu_folder_clear(struct emu_folder *folder)
{
    enum { OPEN_MAX_HERE = 8 };
    if (folder->temporary)
        (void)nftw(folder->path, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS);
    free(folder->path);
    *folder = (struct emu_folder){0};
}

char *emu_folder_of(const char *file)
{
    auto_free char *copy = strdup(file);
    return copy ? realpath(dirname(copy), NULL) : NULL;
}
