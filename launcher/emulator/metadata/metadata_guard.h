/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_guard.h - who may ask the metadata server at all, and by which method. */
#ifndef EMU_METADATA_GUARD_H
#define EMU_METADATA_GUARD_H

#include <stdbool.h>

#include "http/server.h"

/* The guard of its http_server_options; `app` is a struct emu_cloud. */
bool emu_metadata_guard(void *app, const struct http_request *req, struct http_reply *reply);

/* A path without slashes at its ends and with single ones inside; *ret_slash: it ended in one. New,
 * free(); NULL without memory. */
char *emu_metadata_path(const char *path, bool *ret_slash);

#endif
