/* SPDX-License-Identifier: Apache-2.0 */
/* hidden.h - which parts of /usr and /etc no guest may see.
 *
 * A guest gets /usr and a copy of /etc and nothing else of this machine's files, so only what lies
 * in these two can be seen at all: keys and shadow files in /etc, homes and folders of the emulator
 * that somebody put below /usr.
 */
#ifndef EMU_HIDDEN_H
#define EMU_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/auto.h"
#include "lib/error.h"

enum { EMU_HIDDEN_MAX = 64 };

struct emu_hidden {
    char *paths[EMU_HIDDEN_MAX]; /* absolute, without links, below /usr or /etc; owned */
    size_t count;
};

/* Collect: the list for every machine, `folder`, `hide` (NULL-terminated) and the homes of people
 * in /etc/passwd. Errors: VMCP_E_USAGE for one that cannot be hidden because /usr or /etc is in it,
 * VMCP_E_LIMIT for too many. emu_hidden_clear() also after a failure. */
VMCP_MUST_CHECK int emu_hidden_collect(struct emu_hidden *hidden, const char *folder,
                                       const char *const *hide, struct vmcp_error *err);
void emu_hidden_clear(struct emu_hidden *hidden);

/* True for a path at or below one of them. */
bool emu_hidden_has(const struct emu_hidden *hidden, const char *path);

#endif
