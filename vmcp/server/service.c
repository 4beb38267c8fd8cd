/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/json.h"
#include "lib/question.h"

static void refuse(struct http_reply *reply, const struct vmcp_error *err)
{
    http_reply_problem(reply, vmcp_code_http(err->code), err->code, err->text);
}

/* Everything below /vmcp is for one asker, once (protocol.md, "HTTP"). */
static void set_vmcp_headers(struct http_reply *reply)
{
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_header(reply, "Vary", "Accept");
}

static int read_question(const struct http_request *req, const char *name,
                         struct vmcp_question *ret, struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < req->param_count; i++) {
        const struct http_param *p = &req->params[i];
        rc = vmcp_question_add(ret, p->key, p->key_len, p->value, p->value_len, err);
    }
    if (rc == 0 && name)
        rc = vmcp_question_set_path(ret, name, err);
    auto_free char *accept = http_request_header_list(req, "Accept");
    if (rc == 0)
        rc = vmcp_question_finish(ret, accept, err);
    return rc;
}

/* The choice of the machine is a function of the question. */
static const struct srv_machine *choose(const struct srv_service *service,
                                        const struct vmcp_question *q, struct vmcp_error *err)
{
    const struct srv_machine *m =
        srv_catalogue_find(service->catalogue, q->machine[0] ? q->machine : NULL);
    if (!m && q->machine[0])
        vmcp_fail(err, VMCP_E_MACHINE_UNKNOWN, "there is no machine %s here", q->machine);
    else if (!m)
        vmcp_fail(err, VMCP_E_MACHINE_UNKNOWN, "name a machine: /vmcp/NAME, or ?vm=NAME");
    return m;
}

/* The signer gives the work back. */
static void send_answer(struct srv_work *work)
{
    struct http_reply *reply = work->arg;
    if (work->rc < 0) {
        refuse(reply, &work->err);
        return;
    }
    snprintf(reply->note, sizeof(reply->note), "machine=%s serial=%lld jti=%s key=%s",
             work->machine->config.name, (long long)work->machine->config.serial,
             work->jti[0] ? work->jti : "-", vmcp_key_thumbprint(work->key));
    http_reply_take(reply, 200, vmcp_format_media_type(work->question->format), work->answer,
                    strlen(work->answer));
}

static void answer_machine(struct srv_service *service, const struct http_request *req,
                           const char *name, struct http_reply *reply)
{
    struct vmcp_error err = {0};
    struct vmcp_question question = {0};
    set_vmcp_headers(reply);
    if (read_question(req, name, &question, &err) < 0) {
        refuse(reply, &err);
        return;
    }
    const struct srv_machine *machine = choose(service, &question, &err);
    if (!machine) {
        refuse(reply, &err);
        return;
    }
    if (strcmp(req->method, "HEAD") == 0) { /* checks the question, signs nothing */
        if (srv_signer_can(service->signer, machine, &question, &err) < 0) {
            refuse(reply, &err);
            return;
        }
        http_reply_take(reply, 200, vmcp_format_media_type(question.format), NULL, 0);
        return;
    }
    struct srv_work work = {.question = &question,
                            .machine = machine,
                            .now = time(NULL),
                            .done = send_answer,
                            .arg = reply};
    srv_signer_submit(service->signer, &work);
}

static void default_machine(void *app, const struct http_request *req, struct http_reply *reply)
{
    answer_machine(app, req, NULL, reply);
}

static void named_machine(void *app, const struct http_request *req, struct http_reply *reply)
{
    answer_machine(app, req, req->segments[0], reply);
}

static void jwks(void *app, const struct http_request *req, struct http_reply *reply)
{
    const struct srv_service *service = app;
    const char *known = http_request_header(req, "If-None-Match");
    http_reply_header(reply, "ETag", service->jwks_etag);
    http_reply_header(reply, "Cache-Control", "public, max-age=300");
    if (known && (strstr(known, service->jwks_etag) || strcmp(known, "*") == 0))
        http_reply_take(reply, 304, NULL, NULL, 0);
    else
        http_reply_text(reply, 200, "application/jwk-set+json", service->jwks);
}

static void healthz(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)app;
    (void)req;
    http_reply_text(reply, 200, "text/plain", "ok\n");
}

static void readyz(void *app, const struct http_request *req, struct http_reply *reply)
{
    const struct srv_service *service = app;
    (void)req;
    json_auto_t *body = json_pack("{s:s, s:I, s:s}", "status", "ready", "machines",
                                  (json_int_t)srv_catalogue_count(service->catalogue), "digest",
                                  srv_catalogue_digest(service->catalogue));
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_json(reply, 200, body);
}

static const struct http_route routes[] = {
    {"GET", "/vmcp", default_machine},
    {"GET", "/vmcp/{name}", named_machine},
    {"GET", "/.well-known/jwks.json", jwks},
    {"GET", "/healthz", healthz},
    {"GET", "/readyz", readyz},
    {0},
};

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

/* Paths are encoded again before they are logged: none can end a line or hide in one. */
static void print_path(char *out, size_t size, const char *path)
{
    size_t n = 0;
    for (; path && *path && n + 4 < size; path++) {
        unsigned char c = (unsigned char)*path;
        if (c > ' ' && c < 127 && c != '%' && c != '"')
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, size - n, "%%%02X", c);
    }
    out[n] = '\0';
}

static void log_request(void *app, const struct http_request *req, const struct http_reply *reply,
                        int64_t micros)
{
    const struct srv_service *service = app;
    char path[256], method[32];
    if (!service->access_log)
        return;
    print_path(path, sizeof(path), req->path);
    print_path(method, sizeof(method), req->method);
    fprintf(stderr, "%s %s %d %s %lldus%s%s\n", method, path, reply->status,
            vmcp_code_name(reply->code), (long long)micros, reply->note[0] ? " " : "", reply->note);
}

int srv_service_init(struct srv_service *service, struct srv_signer *signer,
                     const struct srv_catalogue *catalogue, struct vmcp_error *err)
{
    json_auto_t *set = NULL;
    int rc = srv_signer_jwks(signer, &set, err);
    if (rc < 0)
        return rc;
    service->signer = signer;
    service->catalogue = catalogue;
    service->jwks = json_dumps(set, JSON_INDENT(2));
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!service->jwks ||
        EVP_Digest(service->jwks, strlen(service->jwks), bytes, &len, EVP_sha256(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the key set");
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    vmcp_hex_encode(bytes, len, hex);
    snprintf(service->jwks_etag, sizeof(service->jwks_etag), "\"%.32s\"", hex);
    return 0;
}

void srv_service_clear(struct srv_service *service)
{
    free(service->jwks);
    *service = (struct srv_service){0};
}

struct http_server_options srv_service_options(struct srv_service *service)
{
    return (struct http_server_options){
        .routes = routes, .app = service, .problem = glue_problem, .log = log_request};
}
