/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <string.h>
#include <time.h>

/* What vmcpd answers with; 0 stands for any other. */
static const int statuses[SRV_STATUSES] = {200, 304, 400, 403, 404, 405, 406,
                                           413, 414, 421, 429, 431, 500, 503};

static const char *const algs[SRV_ALGS] = {"EdDSA", "ES256", "PS256", "RS256", "RS512", "other"};

/* Upper bounds. A signature takes from 25 microseconds (Ed25519) to some milliseconds (RSA-4096).
 */
static const struct {
    int64_t ns;
    const char *le; /* the same in seconds */
} bounds[SRV_BUCKETS] = {
    {25000, "2.5e-05"},  {50000, "5e-05"},    {100000, "0.0001"},  {250000, "0.00025"},
    {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},
    {10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},
    {250000000, "0.25"}, {500000000, "0.5"},  {1000000000, "1"},   {2500000000, "2.5"},
    {5000000000, "5"},
};

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

int64_t srv_metrics_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void observe(struct srv_histogram *h, int64_t ns)
{
    size_t i = 0;
    while (i < SRV_BUCKETS && ns > bounds[i].ns)
        i++;
    add(&h->buckets[i], 1);
    add(&h->sum_ns, ns > 0 ? (uint64_t)ns : 0);
}

void srv_metrics_init(struct srv_metrics *m, const struct http_route *routes)
{
    *m = (struct srv_metrics){.routes = routes};
    while (m->route_count < SRV_ROUTES_MAX && routes[m->route_count].pattern)
        m->route_count++;
}

static size_t route_row(const struct srv_metrics *m, const struct http_route *route)
{
    size_t row = route ? (size_t)(route - m->routes) : SRV_ROUTES_MAX;
    return row < m->route_count ? row : SRV_ROUTES_MAX;
}

static size_t status_column(int status)
{
    size_t i = 0;
    while (i < SRV_STATUSES - 1 && statuses[i] != status)
        i++;
    return i;
}

void srv_metrics_request(struct srv_metrics *m, const struct http_request *req,
                         const struct http_reply *reply, int64_t micros)
{
    size_t row = route_row(m, req->route);
    add(&m->requests[row][status_column(reply->status)], 1);
    observe(&m->request_time[row], 1000 * micros);
    if (reply->code > 0 && reply->code < VMCP_CODE_COUNT)
        add(&m->refusals[reply->code], 1);
}

void srv_metrics_unread(struct srv_metrics *m, int status)
{
    add(&m->requests[SRV_ROUTES_MAX][status_column(status)], 1);
}

void srv_metrics_signature(struct srv_metrics *m, const struct vmcp_alg *alg, int64_t nanos)
{
    size_t i = 0;
    while (i < SRV_ALGS - 1 && strcmp(algs[i], vmcp_alg_name(alg)) != 0)
        i++;
    observe(&m->signing_time[i], nanos);
}

void srv_metrics_head(struct vmcp_buf *out, const char *name, const char *type, const char *help)
{
    vmcp_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *route_name(const struct srv_metrics *m, size_t row)
{
    return row < m->route_count ? m->routes[row].pattern : "other";
}

static void write_requests(const struct srv_metrics *m, size_t row, struct vmcp_buf *out)
{
    for (size_t i = 0; i < SRV_STATUSES; i++) {
        uint64_t n = get(&m->requests[row][i]);
        char status[16] = "other";
        if (i < SRV_STATUSES - 1)
            snprintf(status, sizeof(status), "%d", statuses[i]);
        if (n)
            vmcp_buf_addf(out, "vmcpd_requests_total{route=\"%s\",status=\"%s\"} %llu\n",
                          route_name(m, row), status, (unsigned long long)n);
    }
}

/* One histogram; left out while nothing was observed. */
static void write_histogram(const struct srv_histogram *h, const char *name, const char *label,
                            const char *value, struct vmcp_buf *out)
{
    uint64_t counts[SRV_BUCKETS + 1], all = 0;
    for (size_t i = 0; i <= SRV_BUCKETS; i++)
        all += counts[i] = get(&h->buckets[i]);
    if (!all)
        return;
    uint64_t sum = get(&h->sum_ns), below = 0;
    for (size_t i = 0; i <= SRV_BUCKETS; i++) {
        below += counts[i];
        vmcp_buf_addf(out, "%s_bucket{%s=\"%s\",le=\"%s\"} %llu\n", name, label, value,
                      i < SRV_BUCKETS ? bounds[i].le : "+Inf", (unsigned long long)below);
    }
    vmcp_buf_addf(out, "%s_sum{%s=\"%s\"} %llu.%09llu\n", name, label, value,
                  (unsigned long long)(sum / 1000000000), (unsigned long long)(sum % 1000000000));
    vmcp_buf_addf(out, "%s_count{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)all);
}

static uint64_t count_of(const struct srv_histogram *h)
{
    uint64_t all = 0;
    for (size_t i = 0; i <= SRV_BUCKETS; i++)
        all += get(&h->buckets[i]);
    return all;
}

static void write_signatures(const struct srv_metrics *m, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_signatures_total", "counter",
                     "Answers that were signed, by the algorithm of their signature.");
    for (size_t i = 0; i < SRV_ALGS; i++)
        if (count_of(&m->signing_time[i]))
            vmcp_buf_addf(out, "vmcpd_signatures_total{alg=\"%s\"} %llu\n", algs[i],
                          (unsigned long long)count_of(&m->signing_time[i]));
    srv_metrics_head(out, "vmcpd_signing_duration_seconds", "histogram",
                     "Time to make an answer and sign it.");
    for (size_t i = 0; i < SRV_ALGS; i++)
        write_histogram(&m->signing_time[i], "vmcpd_signing_duration_seconds", "alg", algs[i], out);
}

void srv_metrics_write(const struct srv_metrics *m, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_requests_total", "counter",
                     "Requests that were answered, by route and HTTP status.");
    for (size_t row = 0; row <= SRV_ROUTES_MAX; row++)
        write_requests(m, row, out);
    srv_metrics_head(out, "vmcpd_refusals_total", "counter",
                     "Requests that were refused, by the code of the problem.");
    for (int code = 1; code < VMCP_CODE_COUNT; code++)
        if (get(&m->refusals[code]))
            vmcp_buf_addf(out, "vmcpd_refusals_total{code=\"%s\"} %llu\n",
                          vmcp_code_name((enum vmcp_code)code),
                          (unsigned long long)get(&m->refusals[code]));
    srv_metrics_head(out, "vmcpd_request_duration_seconds", "histogram",
                     "Time from a request's first line to the last byte of its answer.");
    for (size_t row = 0; row <= SRV_ROUTES_MAX; row++)
        write_histogram(&m->request_time[row], "vmcpd_request_duration_seconds", "route",
                        route_name(m, row), out);
    write_signatures(m, out);
}
