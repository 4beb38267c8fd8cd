/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_account.h - what instance/service-accounts/ACCOUNT/ has that is made when asked for. */
#ifndef EMU_METADATA_ACCOUNT_H
#define EMU_METADATA_ACCOUNT_H

#include <stdbool.h>

#include "cloud.h"
#include "node.h"

/* True if `path` is instance/service-accounts/ACCOUNT/`leaf`. *ret_found says whether the view has
 * that account; then *ret is its directory. */
bool emu_metadata_account(const struct emu_view *view, const char *path, const char *leaf,
                          bool *ret_found, struct emu_node *ret);

#endif
