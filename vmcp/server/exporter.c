/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter.h"

#include <time.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "metrics.h"

enum { PAGE_MAX = 256 * 1024, CONNECTIONS = 64 };

static void write_gauge(struct vmcp_buf *out, const char *name, const char *help, int64_t value)
{
    srv_metrics_head(out, name, "gauge", help);
    vmcp_buf_addf(out, "%s %lld\n", name, (long long)value);
}

static void write_keys(const struct srv_snapshot *s, struct vmcp_buf *out)
{
    unsigned counts[VMCP_KEY_STATES] = {0};
    for (size_t i = 0; i < s->ring.count; i++)
        counts[s->ring.entries[i].state]++;
    srv_metrics_head(out, "vmcpd_keys", "gauge", "Keys that are loaded, by their status.");
    for (size_t i = 0; i < VMCP_KEY_STATES; i++)
        vmcp_buf_addf(out, "vmcpd_keys{status=\"%s\"} %u\n",
                      vmcp_key_state_name((enum vmcp_key_state)i), counts[i]);
}

static void write_snapshot(const struct srv_snapshot *s, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_catalogue_info", "gauge",
                     "The catalogue that is served, by its digest: equal for equal catalogues.");
    vmcp_buf_addf(out, "vmcpd_catalogue_info{digest=\"%s\"} 1\n",
                  srv_catalogue_digest(s->catalogue));
    write_gauge(out, "vmcpd_catalogue_generation",
                "How many catalogues this process has served, this one included.", s->generation);
    write_gauge(out, "vmcpd_machines", "Machines of the catalogue that is served.",
                (int64_t)srv_catalogue_count(s->catalogue, VMCP_KIND_MACHINE));
    write_gauge(out, "vmcpd_jobs", "Jobs of the catalogue that is served.",
                (int64_t)srv_catalogue_count(s->catalogue, VMCP_KIND_JOB));
    write_gauge(out, "vmcpd_last_load_success_timestamp_seconds",
                "When what is served now was loaded.", s->loaded);
    if (s->tls)
        write_gauge(out, "vmcpd_tls_certificate_not_after_timestamp_seconds",
                    "When the certificate of --tls-cert expires.", http_tls_not_after(s->tls));
    write_keys(s, out);
}

static void write_reloads(const struct srv_reloads *r, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_reloads_total", "counter",
                     "Reloads, by how they ended; after a failed one the old set is served.");
    vmcp_buf_addf(out, "vmcpd_reloads_total{outcome=\"done\"} %u\n", r->done);
    vmcp_buf_addf(out, "vmcpd_reloads_total{outcome=\"failed\"} %u\n", r->failed);
    write_gauge(out, "vmcpd_last_reload_successful",
                "1 unless the last reload failed, which /readyz and the log explain.",
                r->last == VMCP_OK);
}

static void write_sandbox(const struct srv_sandbox *sandbox, struct vmcp_buf *out)
{
    srv_metrics_head(out, "vmcpd_sandbox", "gauge",
                     "What holds the server: 1 with its list of system calls, and the version of "
                     "Landlock; 0 without.");
    vmcp_buf_addf(out, "vmcpd_sandbox{layer=\"seccomp\"} %d\n", sandbox->seccomp);
    vmcp_buf_addf(out, "vmcpd_sandbox{layer=\"landlock\"} %d\n", sandbox->landlock);
}

static void write_process(struct vmcp_buf *out)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    srv_metrics_head(out, "process_cpu_seconds_total", "counter",
                     "User and system CPU time that this process has used.");
    vmcp_buf_addf(out, "process_cpu_seconds_total %lld.%09ld\n", (long long)cpu.tv_sec,
                  cpu.tv_nsec);
    srv_metrics_head(out, "vmcpd_build_info", "gauge", "The version of this program.");
    vmcp_buf_adds(out, "vmcpd_build_info{version=\"" VMCP_VERSION "\"} 1\n");
}

static void write_all(const struct srv_exporter *e, struct vmcp_buf *out)
{
    auto_snapshot struct srv_snapshot *s = srv_service_hold(e->service);
    struct srv_reloads reloads = srv_service_reloads(e->service);
    srv_metrics_write(&e->service->metrics, out);
    write_snapshot(s, out);
    write_reloads(&reloads, out);
    write_gauge(out, "vmcpd_connections", "Connections that are open now.",
                http_server_connections(e->observed));
    srv_endings_write(&e->service->endings, out);
    srv_metrics_head(out, "vmcpd_log_lines_dropped_total", "counter",
                     "Lines of the access log that could not be written.");
    vmcp_buf_addf(out, "vmcpd_log_lines_dropped_total %llu\n",
                  (unsigned long long)atomic_load(&e->service->log.dropped));
    write_gauge(out, "vmcpd_log_last_reopen_successful",
                "0 where the access log could not be opened again at the last reload: its lines go "
                "to the old file.",
                !atomic_load(&e->service->log.stale));
    write_sandbox(&e->service->sandbox, out);
    write_process(out);
}

static void metrics(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_buf struct vmcp_buf out = VMCP_BUF(PAGE_MAX);
    struct vmcp_error err = {0};
    size_t len = 0;
    (void)req;
    write_all(app, &out);
    if (vmcp_buf_check(&out, "the metrics", &err) < 0) {
        http_reply_problem(reply, 500, err.code, err.text);
        return;
    }
    char *body = vmcp_buf_steal(&out, &len);
    http_reply_take(reply, 200, "text/plain; version=0.0.4; charset=utf-8", body, len);
}

static const struct http_route routes[] = {{"GET", "/metrics", metrics}, {0}};

int srv_exporter_open(struct srv_exporter *e, const char *place, struct vmcp_error *err)
{
    if (!place)
        return 0;
    if (http_listener_open(place, 0660, &e->listener, err) < 0)
        return vmcp_error_option(err, "metrics", place);
    bool is_unix = e->listener.port == 0;
    printf("vmcpd: metrics on %s%s%s\n", is_unix ? "" : "http://", e->listener.text,
           is_unix ? "" : "/metrics");
    return 0;
}

int srv_exporter_start(struct srv_exporter *e, struct srv_service *service,
                       struct http_server *observed, struct vmcp_error *err)
{
    struct http_server_options o = {.routes = routes,
                                    .app = e,
                                    .threads = 1,
                                    .hosts = &e->hosts,
                                    .connections_max = CONNECTIONS,
                                    .connections_each = HTTP_NO_LIMIT,
                                    .rate = HTTP_NO_LIMIT,
                                    .connection_rate = HTTP_NO_LIMIT};
    if (e->listener.fd < 0)
        return 0;
    e->service = service;
    e->observed = observed;
    int rc = srv_transport_hosts(&service->settings->transport, &e->hosts, err);
    e->hosts.everywhere = false; /* a Prometheus elsewhere has its own names for this place */
    if (rc == 0)
        rc = http_server_start(&o, -1, &e->server, err);
    return rc < 0 ? rc : http_server_listen(e->server, &e->listener, err);
}

void srv_exporter_stop(struct srv_exporter *e)
{
    http_server_stop(e->server, 0);
    e->server = NULL;
    http_listener_close(&e->listener);
}
