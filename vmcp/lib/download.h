/* SPDX-License-Identifier: Apache-2.0 */
/* download.h - will a startup script want to download something?
 *
 * A careful guess from the commands of the script, good for a warning and nothing else. It looks
 * for a fixed list of commands (docs/lint.md has it) where a shell would run them: not in comments,
 * quoted text or here-documents, but in `sh -c "…"`, `$(…)` and behind sudo, env and their like. A
 * cloud-config is read line by line. Requests to the VM itself and to the metadata server need no
 * way out and do not count.
 */
#ifndef VMCP_DOWNLOAD_H
#define VMCP_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>

struct vmcp_download {
    size_t line;      /* of the script, from 1 */
    char command[48]; /* such as "apt-get install" */
};

/* The first command of `script` (`len` bytes) that downloads. False: there is none, or the text is
 * neither a script (`#!`) nor something that cloud-init runs. *ret is then left alone. */
bool vmcp_download_find(const char *script, size_t len, struct vmcp_download *ret);

#endif
