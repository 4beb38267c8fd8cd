/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - where the emulator puts serial logs, and which folders no guest may see. */
#ifndef EMU_FOLDER_H
#define EMU_FOLDER_H

#include <stdbool.h>

#include "lib/error.h"

struct emu_folder {
    char *path;     /* absolute; owned */
    bool temporary; /* removed with all it holds when it is freed */
    int lock;       /* of a temporary one: it is in use */
};

/* Use `path`, made 0700 if it is not there; NULL: a private temporary folder, after those of
 * emulators that were killed are removed. */
VMCP_MUST_CHECK int emu_folder_open(const char *path, struct emu_folder *ret,
                                    struct vmcp_error *err);
void emu_folder_clear(struct emu_folder *folder);

/* The absolute path of the folder that `file` is or will be in. New string, free(); NULL: it does
 * not exist, or there is no memory. */
char *emu_folder_of(const char *file);

#endif
