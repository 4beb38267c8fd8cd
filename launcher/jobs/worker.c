/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/ask.h"
#include "http/certificates.h"
#include "state/folder.h"
#include "trustsource.h"

enum { ASK_MS = 30000 };

static int64_t real_now(void *arg)
{
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool real_wait(void *arg, int64_t at_ms)
{
    int64_t left = at_ms - real_now(arg);
    struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    while (left > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
    return true;
}

/* Where the responder's jobs are; the domain is that of its host, as for machines. */
static int name_domain(struct launch_run *run, struct vmcp_error *err)
{
    const struct launch_settings *s = run->settings;
    if (!s->endpoint)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "no responder to ask: give --endpoint, set VMCP_ENDPOINT, or the metadata "
                         "attribute vmcp-endpoint");
    if (s->format && strcmp(s->format, "v2") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--format: a job is a version 2 answer");
    auto_endpoint struct http_endpoint any = {0};
    int rc = http_endpoint_parse_job(s->endpoint, "x", s->allow_http, &any, err);
    const char *domain = s->domain ? s->domain : any.host;
    if (rc == 0)
        rc = vmcp_domain_check(domain, strlen(domain), err);
    if (rc == 0)
        snprintf(run->domain, sizeof(run->domain), "%s", domain);
    return rc < 0 ? rc : launch_state_dir(s->state_dir, &run->dir, err);
}

int launch_jobs_begin(struct launch_jobs *jobs, struct vmcp_error *err)
{
    struct launch_run *run = &jobs->run;
    const struct launch_settings *s = run->settings;
    const struct http_certificates files = {s->cacert, s->client_cert, s->client_key};
    run->format = VMCP_FORMAT_V2;
    int rc = name_domain(run, err);
    if (rc == 0)
        rc = launch_reach_check_list(&jobs->allow_uri, err);
    if (rc == 0)
        rc = http_certificates_check(&files, err);
    if (rc == 0)
        rc = launch_run_trust(run, err);
    if (rc == 0)
        rc = launch_run_api(run, err);
    if (rc < 0)
        return rc;
    jobs->purpose = (struct launch_purpose){.rules = &run->destinations,
                                            .self_signed = s->self_signed,
                                            .metadata = run->metadata.base,
                                            .iam = run->iam};
    jobs->reach = (struct launch_reach){
        .allow = &jobs->allow_uri, .rules = &run->destinations, .compute = run->compute.base};
    if (!jobs->now_ms)
        jobs->now_ms = real_now;
    if (!jobs->wait_until_ms)
        jobs->wait_until_ms = real_wait;
    return launch_tokens_new(s, &run->metadata, &jobs->purpose, &jobs->tokens, err);
}

void launch_jobs_clear(struct launch_jobs *jobs)
{
    launch_tokens_free(jobs->tokens);
    launch_run_clear(&jobs->run);
    jobs->tokens = NULL;
}

int launch_worker_begin(struct launch_worker *worker, struct launch_jobs *jobs,
                        struct vmcp_error *err)
{
    auto_free char *source = NULL;
    worker->jobs = jobs;
    int rc = http_client_new(&worker->http, err);
    if (rc == 0)
        rc = launch_trust_find(jobs->run.settings, jobs->run.domain, &worker->trust, &source, err);
    return rc < 0 ? rc : launch_history_open(jobs->run.dir, &worker->history, err);
}

void launch_worker_end(struct launch_worker *worker)
{
    launch_history_close(worker->history);
    vmcp_trust_free(worker->trust);
    http_client_free(worker->http);
    *worker = (struct launch_worker){0};
}

static int ask(struct launch_worker *worker, int64_t floor, const char *name,
               struct vmcp_answer *ret, struct http_retry *ret_retry, struct vmcp_error *err)
{
    const struct launch_run *run = &worker->jobs->run;
    const struct launch_settings *s = run->settings;
    auto_endpoint struct http_endpoint endpoint = {0};
    int rc = http_endpoint_parse_job(s->endpoint, name, s->allow_http, &endpoint, err);
    if (rc < 0)
        return rc;
    struct http_ask question = {
        .endpoint = &endpoint,
        .trust = worker->trust,
        .format = VMCP_FORMAT_V2,
        .domain = run->domain,
        .hostid = run->hostid,
        .min_serial = floor > s->min_serial ? floor
                      : s->min_serial > 0   ? s->min_serial
                                            : 0,
        .skew = (int)s->max_skew,
        .ca_file = s->cacert,
        .cert_file = s->client_cert,
        .key_file = s->client_key,
        .total_timeout_ms = ASK_MS,
    };
    return http_ask(worker->http, &question, ret, ret_retry, err);
}

int launch_worker_fetch(struct launch_worker *worker, struct launch_state *state, const char *name,
                        struct launch_signed_job *ret, struct http_retry *ret_retry,
                        struct vmcp_error *err)
{
    auto_signed_job struct launch_signed_job job = {0};
    int64_t seen = launch_state_serial(state);
    snprintf(job.name, sizeof(job.name), "%s", name);
    int rc = ask(worker, seen > 0 ? seen : 0, name, &job.answer, ret_retry, err);
    if (rc == 0)
        rc = vmcp_job_read(job.answer.job, "", NULL, &job.job, err);
    if (rc == 0)
        rc = launch_state_raise(state, job.answer.serial, err);
    if (rc < 0)
        return rc;
    launch_signed_job_clear(ret);
    *ret = job;
    job = (struct launch_signed_job){0};
    return 0;
}

void launch_signed_job_clear(struct launch_signed_job *job)
{
    vmcp_job_clear(&job->job);
    vmcp_answer_clear(&job->answer);
    *job = (struct launch_signed_job){0};
}
