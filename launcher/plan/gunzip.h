/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip.h - look into a gzip stream (RFC 1952), as far as a limit. */
#ifndef LAUNCH_GUNZIP_H
#define LAUNCH_GUNZIP_H

#include <stddef.h>

#include "lib/buf.h"

/* Unpack the stream at `data` until it ends, breaks, or `out` is full: what was got until then is
 * in `out`, and a full or broken one is no error here. */
void launch_gunzip(const void *data, size_t len, struct vmcp_buf *out);

#endif
