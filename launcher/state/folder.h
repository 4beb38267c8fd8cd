/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - the folders of a state. */
#ifndef LAUNCH_FOLDER_H
#define LAUNCH_FOLDER_H

#include "lib/error.h"

/* mkdir -p, with 0700 for what is new. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int launch_folders_make(const char *path, struct vmcp_error *err);

#endif
