/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - notices when what a snapshot is loaded from changes on disk (inotify(7)).
 *
 * Watched are the folders of machines, keys and key list, with the names by which they are reached:
 * an editor's rename, a folder that is exchanged, and the `..data` link of a mounted ConfigMap are
 * all seen. A change counts when nothing more has happened for SRV_WATCH_SETTLE_MS; a file that is
 * being written counts when its writer closes it.
 */
#ifndef SRV_WATCH_H
#define SRV_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "settings.h"

enum { SRV_WATCH_SETTLE_MS = 200, SRV_WATCH_SETTLE_MAX_MS = 30000, SRV_WATCH_FOLDERS = 80 };

struct srv_watch {
    int fd; /* to poll for reading; -1: not watching */
    struct {
        int wd;
        char *folder; /* owned */
        char *only;   /* the one name in this folder that counts; NULL: all do. Owned. */
    } folders[SRV_WATCH_FOLDERS];
    int count;
    int64_t first_change, last_change; /* http_now_ms(); 0: none is pending */
};

#define SRV_WATCH_OFF \
    {                 \
        .fd = -1      \
    }

/* Begin to watch what `settings` names, from now on; what was watched before is dropped. To be
 * called before each load, so that no change during it is lost. */
VMCP_MUST_CHECK int srv_watch_begin(struct srv_watch *watch, const struct srv_settings *settings,
                                    struct vmcp_error *err);

/* Read what has happened; call when fd is readable. */
void srv_watch_read(struct srv_watch *watch);

/* Milliseconds until a pending change counts; 0: now; -1: none is pending. */
int srv_watch_due(const struct srv_watch *watch);

void srv_watch_end(struct srv_watch *watch);

#endif
