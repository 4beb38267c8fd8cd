/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - VM-1's startup script: one constant but for a URL and 64 hex digits. */
#ifndef LAUNCH_SCRIPT_H
#define LAUNCH_SCRIPT_H

#include "lib/error.h"

/* The script, with where to get the launcher and what its SHA-256 must be; both NULL: it must be
 * installed there. Each is checked by pattern (VMCP_E_USAGE), for it becomes part of a program that
 * root runs. *ret is new, free(). */
VMCP_MUST_CHECK int launch_script_make(const char *url, const char *sha256, char **ret,
                                       struct vmcp_error *err);

#endif
