/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - whole files: read with a limit, written so that nothing is ever half there. */
#ifndef VMCP_FILE_H
#define VMCP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "error.h"

enum vmcp_file_kind {
    VMCP_FILE_PUBLIC,
    /* Holds a secret: group and others may have no access (below $CREDENTIALS_DIRECTORY the group
     * may read, as systemd sets it up). Errors: VMCP_E_FILE_MODE with the chmod line that mends;
     * `b` is filled all the same, for who wants to tell what it was. */
    VMCP_FILE_PRIVATE,
};

/* FOLDER/NAME (a slash at the folder's end is not doubled). *ret is a new string, free(), and NULL
 * without memory. */
VMCP_MUST_CHECK int vmcp_file_path(const char *folder, const char *name, char **ret,
                                   struct vmcp_error *err);

/* Read the file `path` ("-": standard input) into `b`, at most b->max bytes. A named pipe is
 * refused: nobody may be at its other end. A pipe that the shell made, /dev/fd/N, is read. Errors:
 * VMCP_E_FILE, VMCP_E_FILE_MODE, VMCP_E_LIMIT; err->where is the path. */
VMCP_MUST_CHECK int vmcp_file_read(const char *path, enum vmcp_file_kind kind, struct vmcp_buf *b,
                                   struct vmcp_error *err);

/* The same for a plain file name below the open folder `dirfd`; symbolic links, and
 * whatever else is no regular file, are refused. */
VMCP_MUST_CHECK int vmcp_file_read_at(int dirfd, const char *name, struct vmcp_buf *b,
                                      struct vmcp_error *err);

/* Create `path` with `mode`, write, fsync, and fsync its folder. Never overwrites:
 * VMCP_E_FILE_EXISTS. What was begun and failed is removed. The file gets its name when it is
 * whole, where the file system can do that (O_TMPFILE), so that a program killed half-way leaves
 * nothing.
 */
VMCP_MUST_CHECK int vmcp_file_create(const char *path, mode_t mode, const void *data, size_t len,
                                     struct vmcp_error *err);

/* Replace `path`: a temporary file beside it, fsync, rename, fsync of the folder. A reader sees
 * the old content or the new, whatever happens. */
VMCP_MUST_CHECK int vmcp_file_replace(const char *path, mode_t mode, const void *data, size_t len,
                                      struct vmcp_error *err);

#endif
