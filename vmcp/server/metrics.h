/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what vmcpd counts, and how Prometheus reads it.
 *
 * Counters are relaxed atomics: handlers on several threads add to them, and a reader may see one
 * of them a request earlier than another. Label values come from tables of the program: no path, no
 * machine and no address ever becomes one, so nobody outside can make their number grow.
 */
#ifndef SRV_METRICS_H
#define SRV_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "http/server.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/sign.h"

/* Room in the tables; the last row or column of each is for what is not in it. */
enum { SRV_ROUTES_MAX = 16, SRV_STATUSES = 15, SRV_BUCKETS = 17, SRV_ALGS = 6 };

struct srv_histogram {
    _Atomic uint64_t buckets[SRV_BUCKETS + 1]; /* not yet cumulative */
    _Atomic uint64_t sum_ns;
};

struct srv_metrics {
    const struct http_route *routes; /* for their names; borrowed */
    size_t route_count;              /* rows in use, beside the last */
    _Atomic uint64_t requests[SRV_ROUTES_MAX + 1][SRV_STATUSES];
    _Atomic uint64_t refusals[VMCP_CODE_COUNT];
    struct srv_histogram request_time[SRV_ROUTES_MAX + 1];
    struct srv_histogram signing_time[SRV_ALGS];
};

/* Begin at zero. `routes` (borrowed) ends in a row of zeros. */
void srv_metrics_init(struct srv_metrics *metrics, const struct http_route *routes);

/* A request was answered. */
void srv_metrics_request(struct srv_metrics *metrics, const struct http_request *req,
                         const struct http_reply *reply, int64_t micros);
/* What could not be read as a request was refused with that status. */
void srv_metrics_unread(struct srv_metrics *metrics, int status);
/* An answer was made and signed. */
void srv_metrics_signature(struct srv_metrics *metrics, const struct vmcp_alg *alg, int64_t nanos);

/* Nanoseconds of the monotonic clock. */
int64_t srv_metrics_now(void);

/* Append all of it in Prometheus' text format, version 0.0.4. */
void srv_metrics_write(const struct srv_metrics *metrics, struct vmcp_buf *out);

/* The two lines above a metric; `type` is "counter", "gauge" or "histogram". */
void srv_metrics_head(struct vmcp_buf *out, const char *name, const char *type, const char *help);

#endif
