/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.h - the metadata server: /computeMetadata/v1/ for whoever asks, each VM its own.
 *
 * It answers to any Host, as people reach it under many; a request from a browser's page (Origin)
 * or through a proxy (X-Forwarded-For) is refused, and one without `Metadata-Flavor: Google`.
 */
#ifndef EMU_METADATA_H
#define EMU_METADATA_H

#include "cloud.h"
#include "http/server.h"

/* What the metadata server is started with: routes, guard, headers, error pages, log. */
struct http_server_options emu_metadata_options(struct emu_cloud *cloud);

#endif
