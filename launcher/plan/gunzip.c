/* SPDX-License-Identifier: Apache-2.0 */
#include "gunzip.h"

#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

void launch_gunzip(const void *data, size_t len, struct vmcp_buf *out)
{
    z_stream z;
    unsigned char chunk[16384];
    memset(&z, 0, sizeof(z));
    if (len > 64 * 1024 * 1024 || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip only */
        return;
    z.next_in = (const Bytef *)data;
    z.avail_in = (uInt)len;
    int rc;
    do {
        z.next_out = chunk;
        z.avail_out = sizeof(chunk);
        rc = inflate(&z, Z_NO_FLUSH);
        size_t got = sizeof(chunk) - z.avail_out, room = out->max - out->len;
        vmcp_buf_add(out, chunk, got < room ? got : room);
    } while (rc == Z_OK && out->len < out->max && !out->failed);
    inflateEnd(&z);
}
