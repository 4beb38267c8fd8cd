/* SPDX-License-Identifier: Apache-2.0 */
#include "endings.h"

#include <stdio.h>

#include "http/clock.h"
#include "message.h"
#include "metrics.h"

enum { PAUSE_MS = 10000 };

/* What clients do that just go quiet is nobody's business. */
static enum srv_level level_of(enum http_end why)
{
    return why == HTTP_END_HEADER_TIMEOUT || why == HTTP_END_TRANSFER_TIMEOUT ? SRV_INFO
                                                                              : SRV_WARNING;
}

void srv_endings_note(struct srv_endings *e, enum http_end why, const struct http_address *peer)
{
    char address[HTTP_ADDRESS_TEXT], more[64] = "";
    int64_t now = http_now_ms(), at = atomic_load(&e->tell_at[why]);
    atomic_fetch_add(&e->counts[why], 1);
    if (why == HTTP_END_IDLE)
        return;
    if (now < at || !atomic_compare_exchange_strong(&e->tell_at[why], &at, now + PAUSE_MS)) {
        atomic_fetch_add(&e->untold[why], 1);
        return;
    }
    uint64_t untold = atomic_exchange(&e->untold[why], 0);
    if (untold)
        snprintf(more, sizeof(more), "; %llu more since the last such line",
                 (unsigned long long)untold);
    http_address_text(peer, address);
    srv_message(level_of(why), "vmcpd: %sconnection from %s ended: %s [%s]%s",
                level_of(why) == SRV_WARNING ? "warning: " : "", address, http_end_text(why),
                http_end_label(why), more);
}

void srv_endings_write(const struct srv_endings *e, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_connections_ended_total", "counter",
                     "Connections that the server ended by itself, by the reason.");
    for (int why = 1; why < HTTP_END_COUNT; why++)
        if (atomic_load(&e->counts[why]))
            vmcp_buf_addf(out, "vmcpd_connections_ended_total{reason=\"%s\"} %llu\n",
                          http_end_label((enum http_end)why),
                          (unsigned long long)atomic_load(&e->counts[why]));
}
