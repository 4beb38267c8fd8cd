/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_token.h - instance/service-accounts/ACCOUNT/token. */
#ifndef EMU_METADATA_TOKEN_H
#define EMU_METADATA_TOKEN_H

#include <stdbool.h>

#include "cloud.h"

/* Answer a request for a token. False if `path` is none of these. A VM without that account gets
 * 404; scopes outside the VM's get 400. */
bool emu_metadata_token(struct emu_cloud *cloud, const struct emu_view *view,
                        const struct http_request *req, const char *path, struct http_reply *reply);

/* A token of the cloud's source, new, to be wiped; NULL: the reply says why, or waits. */
char *emu_metadata_foreign(struct emu_cloud *cloud, enum emu_want want, const char *what,
                           const struct http_request *req, int64_t *ret_left,
                           struct http_reply *reply);

#endif
