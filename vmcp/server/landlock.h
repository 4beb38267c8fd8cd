/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.h - which files the server can reach from now on (landlock(7)).
 *
 * A rule names a folder and what may be done below it. All else fails with "Permission denied",
 * whatever the modes of the files say: reading, writing, executing, making devices, and, where the
 * kernel knows how, TCP connections, and signals and abstract sockets of other processes.
 *
 *     auto_landlock struct srv_landlock landlock = SRV_LANDLOCK_OFF;
 *     int rc = srv_landlock_begin(&landlock, &err);
 *     srv_landlock_allow_file(&landlock, "/etc/vmcp/cfg.key", SRV_ACCESS_READ);
 *     if (rc == 0)
 *         rc = srv_landlock_enter(&landlock, &err);
 */
#ifndef SRV_LANDLOCK_H
#define SRV_LANDLOCK_H

#include "lib/auto.h"
#include "lib/error.h"

enum srv_access {
    SRV_ACCESS_READ,   /* files and lists of files */
    SRV_ACCESS_WRITE,  /* write files, and make new ones */
    SRV_ACCESS_REMOVE, /* remove files: that of a socket, at the end */
};

/* How far a rule reaches. */
enum srv_width {
    SRV_WIDTH_OWN,    /* no farther than it should */
    SRV_WIDTH_COMMON, /* all of a folder where others keep things too (commons.h) can be read */
    SRV_WIDTH_FILE,   /* that one file, and not what will replace it */
};

struct srv_landlock {
    int fd;  /* of the rules; -1: none */
    int abi; /* the kernel's version; 0: it has no Landlock, and nothing is restricted */
};

#define SRV_LANDLOCK_OFF \
    {                    \
        .fd = -1         \
    }

/* Ask the kernel what it knows and begin a set of rules; without Landlock there it is empty and
 * does nothing. Errors: VMCP_E_INTERNAL. */
VMCP_MUST_CHECK int srv_landlock_begin(struct srv_landlock *landlock, struct vmcp_error *err);

/* Allow what is needed to use `path` for as long as the process lives, though it be replaced or its
 * links be changed to lead elsewhere: the folder that holds it and those that hold a link on the
 * way to it. Folders where others keep things too (commons.h) are not allowed whole for that: there
 * a file can be written alone, and none be removed. To read it, the folder is allowed in spite of
 * it, but for the root folder: a certificate that could not be renewed would be worse. A path that
 * is not there is passed over, and so is NULL. */
enum srv_width srv_landlock_allow_file(const struct srv_landlock *landlock, const char *path,
                                       enum srv_access access);
/* The same for a folder, to read all that is below it. */
enum srv_width srv_landlock_allow_folder(const struct srv_landlock *landlock, const char *path);
/* The same for a folder that nobody replaces: it alone. */
void srv_landlock_allow_fixed(const struct srv_landlock *landlock, const char *path);

/* Restrict this thread, and those that it makes, for ever. PR_SET_NO_NEW_PRIVS must be set.
 * Errors: VMCP_E_INTERNAL. */
VMCP_MUST_CHECK int srv_landlock_enter(const struct srv_landlock *landlock, struct vmcp_error *err);

void srv_landlock_clear(struct srv_landlock *landlock);
#define auto_landlock VMCP_AUTO(srv_landlock_clear)

#endif
