/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a machine or job file from disk: vmcp_config_load() of config.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "buf.h"
#include "config.h"
#include "file.h"
#include "name.h"

/* "configs/web.json" to "web". */
static int name_of_path(const char *path, char *name, size_t size, struct vmcp_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".json") == 0)
        len -= 5;
    int rc = vmcp_machine_name_check(base, len, err);
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_CONFIG, path,
                            "the file is named after its machine or job, NAME.json, and %s",
                            err ? err->text : "");
    snprintf(name, size, "%.*s", (int)len, base);
    return 0;
}

/* The folder that the file lies in; -1 for standard input. */
static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    return folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

int vmcp_config_load_as(enum vmcp_config_want want, const char *path, struct vmcp_config *ret,
                        struct vmcp_diags *diags, struct vmcp_error *err)
{
    char name[VMCP_NAME_MAX + 1];
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_CONFIG_MAX);
    struct stat st;
    int rc = name_of_path(path, name, sizeof(name), err);
    /* A pipe among the machine files would hold the program for ever. */
    if (rc == 0 && stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        rc = vmcp_fail_at(err, VMCP_E_FILE, path, "is not a regular file");
    if (rc == 0)
        rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    auto_close int folder = open_folder(path);
    rc = vmcp_config_parse_as(want, name, b.data ? b.data : "", b.len, folder, ret, diags, err);
    if (rc < 0 && err) {
        char where[sizeof(err->where) * 4];
        snprintf(where, sizeof(where), "%s:%s", path, err->where);
        return vmcp_fail_at(err, err->code, where, "%s", err->text);
    }
    return rc;
}

int vmcp_config_load(const char *path, struct vmcp_config *ret, struct vmcp_diags *diags,
                     struct vmcp_error *err)
{
    return vmcp_config_load_as(VMCP_WANT_MACHINE, path, ret, diags, err);
}

bool vmcp_config_is_file_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}
