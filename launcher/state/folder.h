/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - where state is kept. */
#ifndef LAUNCH_FOLDER_H
#define LAUNCH_FOLDER_H

#include "lib/error.h"

/* Find the folder of all state (state.h) and make it where it is missing. *ret_dir is new, free().
 * VMCP_E_FILE, VMCP_E_FILE_MODE for one that others can reach, or that is below a folder which
 * others may write (the sticky bit makes that good). */
VMCP_MUST_CHECK int launch_state_dir(const char *given, char **ret_dir, struct vmcp_error *err);

/* mkdir -p, with 0700 for what is new. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int launch_folders_make(const char *path, struct vmcp_error *err);

#endif
