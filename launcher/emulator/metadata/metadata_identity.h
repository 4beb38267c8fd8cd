/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_identity.h - instance/service-accounts/ACCOUNT/identity. */
#ifndef EMU_METADATA_IDENTITY_H
#define EMU_METADATA_IDENTITY_H

#include <stdbool.h>

#include "cloud.h"

/* Answer a request for an identity token: ?audience=, format=standard|full, licenses=TRUE|FALSE.
 * False if `path` is none of these. Without an audience: 400; without that account: 404. */
bool emu_metadata_identity(struct emu_cloud *cloud, const struct emu_view *view,
                           const struct http_request *req, const char *path,
                           struct http_reply *reply);

#endif
