/* SPDX-License-Identifier: Apache-2.0 */
#include "commons.h"

#include <fnmatch.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"

/* As in hier(7) and file-hierarchy(7). A star is one name. */
static const char *const commons[] = {
    "/",
    "/*",
    "/home/*",
    "/var/home/*",
    "/export/home/*",
    "/usr/*",
    "/usr/local/*",
    "/var/cache",
    "/var/lib",
    "/var/local",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/spool",
    "/var/tmp",
    "/dev/shm",
    "/run/lock",
    "/run/user/*",
    "/etc/ssl",
    "/etc/ssl/*",
    "/etc/pki/*",
    "/etc/pki/tls/*",
};

bool srv_folder_is_common(const char *folder)
{
    auto_free char *real = realpath(folder, NULL);
    for (size_t i = 0; real && i < sizeof(commons) / sizeof(*commons); i++)
        if (fnmatch(commons[i], real, FNM_PATHNAME | FNM_NOESCAPE) == 0)
            return true;
    return false;
}

bool srv_folder_is_root(const char *folder)
{
    auto_free char *real = realpath(folder, NULL);
    return real && strcmp(real, "/") == 0;
}
