/* SPDX-License-Identifier: Apache-2.0 */
/* endings.h - connections that the server ended by itself: counted, and told now and then.
 *
 * Who attacks must not fill the log: of each reason one line in ten seconds, which says how many
 * there were since the last.
 */
#ifndef SRV_ENDINGS_H
#define SRV_ENDINGS_H

#include <stdatomic.h>
#include <stdint.h>

#include "http/address.h"
#include "http/ends.h"
#include "lib/buf.h"

struct srv_endings {
    _Atomic uint64_t counts[HTTP_END_COUNT];
    _Atomic uint64_t untold[HTTP_END_COUNT];
    _Atomic int64_t tell_at[HTTP_END_COUNT]; /* http_now_ms() clock */
};

/* One was ended. From any thread. */
void srv_endings_note(struct srv_endings *endings, enum http_end why,
                      const struct http_address *peer);

/* Append them in Prometheus' text format. */
void srv_endings_write(const struct srv_endings *endings, struct vmcp_buf *out);

#endif
