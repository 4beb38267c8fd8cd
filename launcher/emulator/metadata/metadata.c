/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/clock.h"
#include "metadata_guard.h"
#include "metadata_guest.h"
#include "metadata_identity.h"
#include "metadata_token.h"
#include "node.h"
#include "page.h"
#include "reqlog.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, HOLD_MAX = 3600 /* seconds */ };

static const char text_type[] = "application/text"; /* not text/plain: as the real one says */

/* A request, taken apart. */
struct question {
    const struct http_request *req;
    char *path;      /* without slashes at the ends, single ones inside; owned */
    bool slash;      /* the path ended in one */
    bool recursive;  /* ?recursive=true */
    bool json, text; /* ?alt= */
    bool wait;       /* ?wait_for_change=true */
    const char *last_etag;
    int64_t timeout; /* seconds */
};

static bool is_true(const struct http_request *req, const char *key)
{
    const char *value = http_request_param(req, key);
    return value && strcasecmp(value, "true") == 0;
}

/* Read the query. What is not known is ignored, what is malformed is told. */
static const char *read_question(const struct http_request *req, struct question *ret)
{
    const char *alt = http_request_param(req, "alt");
    const char *timeout = http_request_param(req, "timeout_sec");
    ret->req = req;
    ret->recursive = is_true(req, "recursive");
    ret->json = alt && strcasecmp(alt, "json") == 0;
    ret->text = alt && strcasecmp(alt, "text") == 0;
    ret->wait = is_true(req, "wait_for_change");
    ret->last_etag = http_request_param(req, "last_etag");
    ret->timeout = HOLD_MAX;
    if (alt && !ret->json && !ret->text)
        return "alt is json or text\n";
    if (timeout) {
        char *end = NULL;
        ret->timeout = strtol(timeout, &end, 10);
        if (end == timeout || *end || ret->timeout < 0)
            return "timeout_sec is a whole number of seconds\n";
        if (ret->timeout > HOLD_MAX)
            ret->timeout = HOLD_MAX;
    }
    ret->path = emu_metadata_path(req->path, &ret->slash);
    return NULL;
}

static const char *scheme_of(const struct http_request *req)
{
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return tls && tls->tls_session ? "https" : "http";
}

/* RFC 9110, section 10.2.2. Built from the request's own Host: behind a fixed one, clients' search
 * for the metadata server fails. */
static void redirect(const struct question *q, struct http_reply *reply)
{
    const char *host = http_request_host(q->req);
    const char *query = strchr(q->req->target, '?');
    auto_buf struct vmcp_buf location = VMCP_BUF(HTTP_HEADER_MAX);
    auto_buf struct vmcp_buf body = VMCP_BUF(HTTP_HEADER_MAX);
    vmcp_buf_addf(&location, "%s://%s/%s/%s", scheme_of(q->req),
                  host ? host : "metadata.google.internal", q->path, query ? query : "");
    vmcp_buf_addf(&body, "/%s/\n", q->path);
    if (vmcp_buf_check(&location, "a redirect", NULL) < 0 ||
        vmcp_buf_check(&body, "a redirect", NULL) < 0)
        return;
    http_reply_text(reply, 301, "text/html", body.data);
    http_reply_header(reply, "Location", location.data);
}

/* True if the request is put aside until its node changes. */
static bool wait_for_change(const struct question *q, const char *etag, struct http_reply *reply)
{
    if (!q->wait || q->req->timed_out || q->timeout == 0)
        return false;
    const char *seen = q->last_etag;
    if (!seen) { /* no tag given: a change is what differs from the first look */
        if (!q->req->memo[0])
            snprintf(q->req->memo, HTTP_MEMO_MAX, "%s", etag);
        seen = q->req->memo;
    }
    if (strcmp(seen, etag) != 0)
        return false;
    reply->wait_until = http_now_ms() + q->timeout * 1000;
    return true;
}

static void send_json(const struct emu_node *node, struct http_reply *reply)
{
    char *text = json_dumps(node->value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        http_reply_take(reply, 200, "application/json", text, strlen(text));
}

static void send_text(const struct emu_node *node, struct http_reply *reply,
                      void (*write)(const struct emu_node *, struct vmcp_buf *))
{
    auto_buf struct vmcp_buf out = VMCP_BUF(ANSWER_MAX);
    write(node, &out);
    if (vmcp_buf_check(&out, "an answer", NULL) < 0)
        return;
    size_t len = 0;
    char *text = vmcp_buf_steal(&out, &len);
    http_reply_take(reply, 200, text_type, text, len);
}

static void send_node(const struct question *q, const struct emu_node *node,
                      struct http_reply *reply)
{
    bool directory = node->kind == EMU_NODE_DIRECTORY;
    if (directory && q->recursive && q->text)
        send_text(node, reply, emu_node_flatten);
    else if (directory && !q->recursive)
        send_text(node, reply, emu_node_list);
    else if (directory || q->json || node->kind == EMU_NODE_DOCUMENT)
        send_json(node, reply);
    else
        send_text(node, reply, emu_node_text);
}

static void answer_node(const struct question *q, const struct emu_node *node,
                        struct http_reply *reply)
{
    bool directory = node->kind == EMU_NODE_DIRECTORY;
    char etag[EMU_ETAG_LEN + 1];
    if (q->slash && !directory) {
        emu_page_reply(reply, 404, "The requested URL was not found on this server.");
        return;
    }
    if (directory && !q->slash && !q->recursive) {
        redirect(q, reply);
        return;
    }
    if (directory && q->wait && !q->recursive) {
        http_reply_text(reply, 400, text_type,
                        "wait_for_change on a directory needs recursive=true\n");
        return;
    }
    emu_node_etag(node, etag);
    if (wait_for_change(q, etag, reply))
        return;
    send_node(q, node, reply);
    http_reply_header(reply, "ETag", etag);
}

/* Keys that people make: they may come while somebody waits for them. */
static bool may_appear(const char *path)
{
    return strncmp(path, "instance/attributes/", 20) == 0 ||
           strncmp(path, "project/attributes/", 19) == 0 || emu_metadata_is_guest(path);
}

static void answer_missing(const struct question *q, const char *path, struct http_reply *reply)
{
    if (may_appear(path) && wait_for_change(q, "-", reply))
        return;
    emu_page_reply(reply, 404, "The requested URL was not found on this server.");
}

/* What is there under another name, or without being in the tree: Go's oauth2 spells the universe's
 * domain with an underscore, and where no maintenance is planned that is a word, not a folder. */
static bool find(const struct emu_view *view, const char *path, json_t **none, struct emu_node *ret)
{
    if (strcmp(path, "universe/universe_domain") == 0)
        path = "universe/universe-domain";
    if (emu_node_find(view->tree, path, ret))
        return true;
    if (strcmp(path, "instance/upcoming-maintenance") != 0)
        return false;
    *none = json_string("NONE");
    *ret = (struct emu_node){.value = *none, .kind = EMU_NODE_LEAF};
    return *none != NULL;
}

/* `path` is what follows /computeMetadata/v1/. */
static void answer_v1(struct emu_cloud *cloud, const struct emu_view *view,
                      const struct question *q, const char *path, struct http_reply *reply)
{
    struct emu_node node;
    json_auto_t *none = NULL;
    if (emu_metadata_guest(cloud, view, q->req, path, reply) ||
        emu_metadata_token(cloud, view, q->req, path, reply) ||
        emu_metadata_identity(cloud, view, q->req, path, reply))
        return;
    if (find(view, path, &none, &node))
        answer_node(q, &node, reply);
    else
        answer_missing(q, path, reply);
}

static void answer(struct emu_cloud *cloud, const struct question *q, struct http_reply *reply)
{
    static const char root[] = "computeMetadata", v1[] = "computeMetadata/v1";
    const size_t len = sizeof(v1) - 1;
    if (!q->path[0]) { /* what clients probe */
        http_reply_text(reply, 200, text_type, "computeMetadata/\n");
    } else if (strcmp(q->path, root) == 0) {
        if (q->slash)
            http_reply_text(reply, 200, text_type, "v1/\n");
        else
            redirect(q, reply);
    } else if (strncmp(q->path, v1, len) == 0 && (!q->path[len] || q->path[len] == '/')) {
        const struct emu_view *view = emu_views_get(cloud->views, &q->req->peer);
        if (!view) {
            emu_page_reply(reply, 404, "There is no VM at your address.");
            return;
        }
        answer_v1(cloud, view, q, q->path + len + (q->path[len] == '/'), reply);
        emu_view_release(cloud->views, view);
    } else {
        emu_page_reply(reply, 404, "The requested URL was not found on this server.");
    }
}

static void serve(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct question q = {0};
    const char *wrong = read_question(req, &q);
    if (wrong)
        http_reply_text(reply, 400, text_type, wrong);
    else if (q.path)
        answer(app, &q, reply);
    free(q.path);
}

/* On every answer: clients take one without the flavor for something else than a metadata server.
 */
static void decorate(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)app;
    (void)req;
    http_reply_header(reply, "Metadata-Flavor", "Google");
    http_reply_header(reply, "Server", "Metadata Server for VM");
    http_reply_header(reply, "X-XSS-Protection", "0");
    http_reply_header(reply, "X-Frame-Options", "SAMEORIGIN");
}

static void problem(void *app, const struct http_request *req, struct http_reply *reply, int status,
                    enum vmcp_code code, const char *detail)
{
    (void)app;
    (void)req;
    emu_page_reply(reply, status, detail);
    reply->code = code;
}

static void log_request(void *app, const struct http_request *req, const struct http_reply *reply,
                        int64_t micros)
{
    emu_reqlog_add(app, "metadata", req, reply, micros);
}

struct http_server_options emu_metadata_options(struct emu_cloud *cloud)
{
    static const struct http_route routes[] = {
        {"GET", "/{*}", serve}, {"PUT", "/{*}", serve}, {"DELETE", "/{*}", serve}, {0}};
    return (struct http_server_options){
        .body_max = HTTP_BODY_MAX,
        .rate = HTTP_NO_LIMIT, /* its only clients are a developer and their VMs */
        .routes = routes,
        .app = cloud,
        .guard = emu_metadata_guard,
        .decorate = decorate,
        .problem = problem,
        .log = log_request,
    };
}
