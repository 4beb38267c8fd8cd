/* SPDX-License-Identifier: Apache-2.0 */
#include "gauges.h"

#include <inttypes.h>
#include <time.h>

#include "lib/buf.h"

enum { PAGE_MAX = 8 * 1024 * 1024, CONNECTIONS = 16 };

static void head(struct vmcp_buf *out, const char *name, const char *type, const char *help)
{
    vmcp_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What is told of the jobs, as one number for each of them or one for each outcome. */
typedef int64_t (*number_fn)(const struct launch_service *s, size_t job, int outcome);

static int64_t runs(const struct launch_service *s, size_t job, int outcome)
{
    return s->all[job].runs[outcome];
}

static int64_t attempts(const struct launch_service *s, size_t job, int outcome)
{
    (void)outcome;
    return s->all[job].attempts;
}

static int64_t stopped(const struct launch_service *s, size_t job, int outcome)
{
    (void)outcome;
    return s->all[job].stopped;
}

static int64_t next_run(const struct launch_service *s, size_t job, int outcome)
{
    (void)outcome;
    return launch_scheduler_next_ms(s->scheduler, job) / 1000;
}

static int64_t success(const struct launch_service *s, size_t job, int outcome)
{
    (void)outcome;
    return s->all[job].success_ms / 1000;
}

static const char *label(int outcome)
{
    return outcome == LAUNCH_OUTCOME_DOUBT ? "in_doubt"
                                           : launch_outcome_name((enum launch_outcome)outcome);
}

static void write_runs(const struct launch_service *s, struct vmcp_buf *out)
{
    static const char name[] = "vmcp_launch_job_runs_total";
    head(out, name, "counter", "Scheduled times that are over, by how they ended.");
    for (int o = LAUNCH_OUTCOME_SUCCEEDED; o < LAUNCH_OUTCOMES; o++) {
        int64_t rest = 0;
        for (size_t i = 0; i < s->count; i++)
            if (i < LAUNCH_GAUGES_JOBS)
                vmcp_buf_addf(out, "%s{job=\"%s\",outcome=\"%s\"} %" PRId64 "\n", name,
                              s->all[i].name, label(o), runs(s, i, o));
            else
                rest += runs(s, i, o);
        if (s->count > LAUNCH_GAUGES_JOBS)
            vmcp_buf_addf(out, "%s{outcome=\"%s\"} %" PRId64 "\n", name, label(o), rest);
    }
}

/* `add_up`: the sum of the others makes sense. */
static void write_each(const struct launch_service *s, struct vmcp_buf *out, const char *name,
                       const char *type, const char *help, number_fn number, bool add_up)
{
    int64_t rest = 0;
    head(out, name, type, help);
    for (size_t i = 0; i < s->count; i++)
        if (i < LAUNCH_GAUGES_JOBS && (add_up || number(s, i, 0)))
            vmcp_buf_addf(out, "%s{job=\"%s\"} %" PRId64 "\n", name, s->all[i].name,
                          number(s, i, 0));
        else if (i >= LAUNCH_GAUGES_JOBS)
            rest += number(s, i, 0);
    if (add_up && s->count > LAUNCH_GAUGES_JOBS)
        vmcp_buf_addf(out, "%s %" PRId64 "\n", name, rest);
}

static void write_service(const struct launch_service *s, struct vmcp_buf *out)
{
    head(out, "vmcp_launch_jobs", "gauge", "Jobs that are on schedule.");
    vmcp_buf_addf(out, "vmcp_launch_jobs %zu\n", s->count);
    head(out, "vmcp_launch_responder_up", "gauge",
         "0 where the last question to the responder had no answer.");
    vmcp_buf_addf(out, "vmcp_launch_responder_up %d\n", !s->deaf);
    head(out, "vmcp_launch_busy_threads", "gauge", "Threads of --parallel that are at work.");
    vmcp_buf_addf(out, "vmcp_launch_busy_threads %d\n", s->busy);
    head(out, "vmcp_launch_history_failures_total", "counter",
         "Times that the history could not be read or written; nothing is sent without it.");
    vmcp_buf_addf(out, "vmcp_launch_history_failures_total %" PRIu64 "\n", s->history_failures);
    head(out, "vmcp_launch_refusals_total", "counter",
         "Answers of the responder that were not good, by error code.");
    for (int i = 0; i < VMCP_CODE_COUNT; i++)
        if (s->refusals[i])
            vmcp_buf_addf(out, "vmcp_launch_refusals_total{code=\"%s\"} %" PRIu64 "\n",
                          vmcp_code_name((enum vmcp_code)i), s->refusals[i]);
}

static void write_process(struct vmcp_buf *out)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    head(out, "process_cpu_seconds_total", "counter",
         "User and system CPU time that this process has used.");
    vmcp_buf_addf(out, "process_cpu_seconds_total %lld.%09ld\n", (long long)cpu.tv_sec,
                  cpu.tv_nsec);
    head(out, "vmcp_launch_build_info", "gauge", "The version of this program.");
    vmcp_buf_adds(out, "vmcp_launch_build_info{version=\"" VMCP_VERSION "\"} 1\n");
}

static void write_all(struct launch_service *s, struct vmcp_buf *out)
{
    pthread_mutex_lock(&s->lock);
    write_service(s, out);
    write_runs(s, out);
    write_each(s, out, "vmcp_launch_job_attempts_total", "counter",
               "Attempts of runs that are over.", attempts, true);
    write_each(s, out, "vmcp_launch_job_stopped", "gauge",
               "1 where the job was refused, until a refresh finds it good.", stopped, true);
    write_each(s, out, "vmcp_launch_job_next_run_timestamp_seconds", "gauge",
               "The next scheduled time, where one is known.", next_run, false);
    write_each(s, out, "vmcp_launch_job_last_success_timestamp_seconds", "gauge",
               "When the last successful run ended, where there was one.", success, false);
    pthread_mutex_unlock(&s->lock);
    write_process(out);
}

static void metrics(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_buf struct vmcp_buf out = VMCP_BUF(PAGE_MAX);
    struct launch_gauges *gauges = app;
    struct vmcp_error err = {0};
    size_t len = 0;
    (void)req;
    write_all(gauges->service, &out);
    if (vmcp_buf_check(&out, "the metrics", &err) < 0) {
        http_reply_problem(reply, 500, err.code, err.text);
        return;
    }
    char *body = vmcp_buf_steal(&out, &len);
    http_reply_take(reply, 200, "text/plain; version=0.0.4; charset=utf-8", body, len);
}

static const struct http_route routes[] = {{"GET", "/metrics", metrics}, {0}};

int launch_gauges_start(struct launch_gauges *g, const char *place, struct vmcp_error *err)
{
    struct http_server_options o = {.routes = routes,
                                    .app = g,
                                    .threads = 1,
                                    .hosts = &g->hosts,
                                    .connections_max = CONNECTIONS,
                                    .connections_each = HTTP_NO_LIMIT,
                                    .rate = HTTP_NO_LIMIT,
                                    .connection_rate = HTTP_NO_LIMIT};
    if (!place)
        return 0;
    if (http_listener_open(place, 0660, &g->listener, err) < 0)
        return vmcp_error_option(err, "metrics", place);
    bool is_unix = g->listener.port == 0;
    launch_say(g->service->jobs->run.report, "metrics on %s%s%s", is_unix ? "" : "http://",
               g->listener.text, is_unix ? "" : "/metrics");
    int rc = http_server_start(&o, -1, &g->server, err);
    return rc < 0 ? rc : http_server_listen(g->server, &g->listener, err);
}

void launch_gauges_stop(struct launch_gauges *g)
{
    if (g->server)
        http_server_stop(g->server, 0);
    g->server = NULL;
    http_listener_close(&g->listener);
}
