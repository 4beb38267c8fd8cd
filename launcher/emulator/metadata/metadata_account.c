/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_account.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "instance/service-accounts/";

bool emu_metadata_account(const struct emu_view *view, const char *path, const char *leaf,
                          bool *ret_found, struct emu_node *ret)
{
    const char *slash = strrchr(path, '/');
    char folder[EMU_EMAIL_MAX + sizeof(prefix)];
    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || strcmp(slash + 1, leaf) != 0 ||
        (size_t)(slash - path) < sizeof(prefix))
        return false;
    size_t len = (size_t)(slash - path);
    *ret_found = len < sizeof(folder);
    if (!*ret_found)
        return true;
    snprintf(folder, sizeof(folder), "%.*s", (int)len, path);
    *ret_found = emu_node_find(view->tree, folder, ret) && ret->account;
    return true;
}
