/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_guest.h - instance/guest-attributes/ at the metadata server: who may, PUT and DELETE. */
#ifndef EMU_METADATA_GUEST_H
#define EMU_METADATA_GUEST_H

#include <stdbool.h>

#include "cloud.h"

/* True if `path` (below /computeMetadata/v1/, with single slashes) is in guest-attributes/, which
 * is the only place that takes PUT and DELETE. */
bool emu_metadata_is_guest(const char *path);

/* Answer what reading does not: 403 where they are switched off for this VM; PUT and DELETE of
 * NAMESPACE/KEY. False if the path is to be read. */
bool emu_metadata_guest(struct emu_cloud *cloud, const struct emu_view *view,
                        const struct http_request *req, const char *path, struct http_reply *reply);

#endif
