/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/keylist.h"
#include "lib/question.h"
#include "page.h"

static void refuse(struct http_reply *reply, const struct vmcp_error *err)
{
    http_reply_problem(reply, vmcp_code_http(err->code), err->code, err->text);
}

/* Everything below /vmcp and /jobs is for one asker, once (protocol.md, "HTTP"). */
static void set_vmcp_headers(struct http_reply *reply)
{
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_header(reply, "Vary", "Accept");
    /* An answer in version 2 parses as a script: no page from elsewhere may load it as one. */
    http_reply_header(reply, "Cross-Origin-Resource-Policy", "same-origin");
}

static int read_question(const struct http_request *req, const char *name, const char *accept,
                         struct vmcp_question *ret, struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < req->param_count; i++) {
        const struct http_param *p = &req->params[i];
        rc = vmcp_question_add(ret, p->key, p->key_len, p->value, p->value_len, err);
    }
    if (rc == 0 && name)
        rc = vmcp_question_set_path(ret, name, err);
    return rc < 0 ? rc : vmcp_question_finish(ret, accept, err);
}

/* The choice of the machine or job is a function of the question. */
static const struct srv_machine *choose(const struct srv_catalogue *catalogue, enum vmcp_kind kind,
                                        const struct vmcp_question *q, struct vmcp_error *err)
{
    const char *name = q->machine[0] ? q->machine : NULL;
    const struct srv_machine *m = srv_catalogue_find(catalogue, kind, name);
    if (!m && kind == VMCP_KIND_JOB)
        vmcp_fail(err, VMCP_E_JOB_UNKNOWN, "there is no job %s here", q->machine);
    else if (!m && name)
        vmcp_fail(err, VMCP_E_MACHINE_UNKNOWN, "there is no machine %s here", q->machine);
    else if (!m)
        vmcp_fail(err, VMCP_E_MACHINE_UNKNOWN, "name a machine: /vmcp/NAME, or ?vm=NAME");
    return m;
}

/* What an answer that is being made is for. */
struct errand {
    struct srv_service *service;
    struct http_reply *reply;
    int64_t since; /* srv_metrics_now() clock */
};

/* The signer gives the work back. */
static void send_answer(struct srv_work *work)
{
    const struct errand *errand = work->arg;
    struct http_reply *reply = errand->reply;
    if (work->rc < 0) {
        refuse(reply, &work->err);
        return;
    }
    srv_metrics_signature(&errand->service->metrics, work->alg, srv_metrics_now() - errand->since);
    srv_log_answer(&errand->service->log, work, reply);
    http_reply_take(reply, 200, vmcp_format_media_type(work->question->format), work->answer,
                    strlen(work->answer));
}

static void answer_question(struct srv_service *service, const struct srv_snapshot *snapshot,
                            enum vmcp_kind kind, const struct http_request *req,
                            const struct vmcp_question *question, struct http_reply *reply)
{
    struct vmcp_error err = {0};
    const struct srv_machine *machine = choose(snapshot->catalogue, kind, question, &err);
    if (!machine) {
        refuse(reply, &err);
        return;
    }
    if (strcmp(req->method, "HEAD") == 0) { /* checks the question, signs nothing */
        if (srv_signer_can(snapshot->signer, machine, question, &err) < 0) {
            refuse(reply, &err);
            return;
        }
        http_reply_take(reply, 200, vmcp_format_media_type(question->format), NULL, 0);
        return;
    }
    struct errand errand = {service, reply, srv_metrics_now()};
    struct srv_work work = {.question = question,
                            .machine = machine,
                            .now = time(NULL),
                            .done = send_answer,
                            .arg = &errand};
    srv_signer_submit(snapshot->signer, &work);
}

void srv_service_answer(struct srv_service *service, enum vmcp_kind kind,
                        const struct http_request *req, const char *name, const char *accept,
                        struct http_reply *reply)
{
    struct vmcp_error err = {0};
    struct vmcp_question question = {0};
    set_vmcp_headers(reply);
    if (read_question(req, name, accept, &question, &err) < 0) {
        refuse(reply, &err);
        return;
    }
    auto_snapshot struct srv_snapshot *snapshot = srv_service_hold(service);
    answer_question(service, snapshot, kind, req, &question, reply);
}

static void answer(struct srv_service *service, enum vmcp_kind kind, const struct http_request *req,
                   const char *name, struct http_reply *reply)
{
    auto_free char *accept = http_request_header_list(req, "Accept");
    srv_service_answer(service, kind, req, name, accept, reply);
}

static void default_machine(void *app, const struct http_request *req, struct http_reply *reply)
{
    answer(app, VMCP_KIND_MACHINE, req, NULL, reply);
}

static void named_machine(void *app, const struct http_request *req, struct http_reply *reply)
{
    answer(app, VMCP_KIND_MACHINE, req, req->segments[0], reply);
}

static void named_job(void *app, const struct http_request *req, struct http_reply *reply)
{
    answer(app, VMCP_KIND_JOB, req, req->segments[0], reply);
}

/* A public document: anyone may keep it for a while. */
static void send_document(const struct srv_document *document, const char *content_type,
                          const struct http_request *req, struct http_reply *reply)
{
    const char *known = http_request_header(req, "If-None-Match");
    if (!document->body) {
        http_reply_problem(reply, 404, VMCP_E_NOT_FOUND, "this responder publishes no key list");
        return;
    }
    http_reply_header(reply, "ETag", document->etag);
    http_reply_header(reply, "Cache-Control", "public, max-age=300");
    if (known && (strstr(known, document->etag) || strcmp(known, "*") == 0)) {
        http_reply_take(reply, 304, NULL, NULL, 0);
        return;
    }
    char *copy = malloc(document->len);
    if (copy)
        http_reply_take(reply, 200, content_type, memcpy(copy, document->body, document->len),
                        document->len);
}

static void jwks(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_snapshot struct srv_snapshot *s = srv_service_hold(app);
    struct srv_document fresh = {0};
    const struct srv_document *document = NULL;
    struct vmcp_error err = {0};
    if (srv_snapshot_jwks(s, time(NULL), &fresh, &document, &err) == 0)
        send_document(document, "application/jwk-set+json", req, reply);
    else
        refuse(reply, &err);
    srv_document_clear(&fresh);
}

static void keylist(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_snapshot struct srv_snapshot *s = srv_service_hold(app);
    send_document(&s->keylist, "text/plain", req, reply);
}

static void keylist_sig(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_snapshot struct srv_snapshot *s = srv_service_hold(app);
    send_document(&s->keylist_sig, "application/octet-stream", req, reply);
}

static void healthz(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)app;
    (void)req;
    http_reply_text(reply, 200, "text/plain", "ok\n");
}

/* What went wrong in a reload stands in the log: it may quote a machine file. */
static void readyz(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct srv_service *service = app;
    auto_snapshot struct srv_snapshot *s = srv_service_hold(service);
    (void)req;
    struct srv_reloads reloads = srv_service_reloads(service);
    json_auto_t *body = json_pack(
        "{s:s, s:I, s:I, s:s, s:I, s:{s:s, s:I, s:I, s:I}}", "status", "ready", "machines",
        (json_int_t)srv_catalogue_count(s->catalogue, VMCP_KIND_MACHINE), "jobs",
        (json_int_t)srv_catalogue_count(s->catalogue, VMCP_KIND_JOB), "digest",
        srv_catalogue_digest(s->catalogue), "generation", (json_int_t)s->generation, "reload",
        "code", vmcp_code_name(reloads.last), "time", (json_int_t)reloads.last_at, "done",
        (json_int_t)reloads.done, "failed", (json_int_t)reloads.failed);
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_json(reply, 200, body);
}

static const struct http_route routes[] = {
    {"GET", "/vmcp", default_machine},
    {"GET", "/vmcp/{name}", named_machine},
    {"GET", "/jobs/{name}", named_job},
    {"GET", "/.well-known/jwks.json", jwks},
    {"GET", "/keystore/" VMCP_KEYLIST_FILE, keylist},
    {"GET", "/keystore/" VMCP_KEYLIST_SIG_FILE, keylist_sig},
    {"GET", "/", srv_page},
    {"GET", "/healthz", healthz},
    {"GET", "/readyz", readyz},
    {0},
};
static const char *const probes[] = {"/healthz", "/readyz", NULL};

/* Errors that the glue makes carry the same headers wherever they come from: `/%76mcp` is below
 * /vmcp too, and a target that cannot be decoded may be anything. */
static void glue_problem(void *app, const struct http_request *req, struct http_reply *reply,
                         int status, enum vmcp_code code, const char *detail)
{
    (void)app;
    (void)req;
    http_reply_problem(reply, status, code, detail);
    set_vmcp_headers(reply);
}

static void finish_request(void *app, const struct http_request *req,
                           const struct http_reply *reply, int64_t micros)
{
    struct srv_service *service = app;
    srv_metrics_request(&service->metrics, req, reply, micros);
    srv_log_request(&service->log, req, reply, micros);
}

static void note_end(void *app, enum http_end why, const struct http_address *peer)
{
    struct srv_service *service = app;
    srv_endings_note(&service->endings, why, peer);
}

static void note_unread(void *app, int status)
{
    struct srv_service *service = app;
    srv_metrics_unread(&service->metrics, status);
}

void srv_service_init(struct srv_service *service, const struct srv_settings *settings,
                      struct srv_snapshot *snapshot)
{
    *service = (struct srv_service){.settings = settings, .snapshot = snapshot};
    srv_metrics_init(&service->metrics, routes);
    snapshot->generation = 1;
    pthread_mutex_init(&service->lock, NULL);
}

void srv_service_clear(struct srv_service *service)
{
    srv_log_close(&service->log);
    srv_snapshot_unref(service->snapshot);
    pthread_mutex_destroy(&service->lock);
}

struct srv_snapshot *srv_service_hold(struct srv_service *service)
{
    pthread_mutex_lock(&service->lock);
    struct srv_snapshot *snapshot = srv_snapshot_ref(service->snapshot);
    pthread_mutex_unlock(&service->lock);
    return snapshot;
}

void srv_service_replace(struct srv_service *service, struct srv_snapshot *snapshot)
{
    pthread_mutex_lock(&service->lock);
    struct srv_snapshot *old = service->snapshot;
    snapshot->generation = old->generation + 1;
    service->snapshot = snapshot;
    service->reloads.done++;
    service->reloads.last = VMCP_OK;
    service->reloads.last_at = time(NULL);
    pthread_mutex_unlock(&service->lock);
    srv_snapshot_retire(old);
}

void srv_service_reload_failed(struct srv_service *service, enum vmcp_code code)
{
    pthread_mutex_lock(&service->lock);
    service->reloads.failed++;
    service->reloads.last = code;
    service->reloads.last_at = time(NULL);
    pthread_mutex_unlock(&service->lock);
}

struct srv_reloads srv_service_reloads(struct srv_service *service)
{
    pthread_mutex_lock(&service->lock);
    struct srv_reloads reloads = service->reloads;
    pthread_mutex_unlock(&service->lock);
    return reloads;
}

struct http_server_options srv_service_options(struct srv_service *service)
{
    return (struct http_server_options){.routes = routes,
                                        .app = service,
                                        .probes = probes,
                                        .problem = glue_problem,
                                        .log = finish_request,
                                        .ended = note_end,
                                        .unread = note_unread};
}
