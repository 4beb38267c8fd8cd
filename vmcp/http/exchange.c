/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "forwarded.h"
#include "head.h"
#include "hosts.h"
#include "lib/auto.h"

enum { TOO_LONG_MS = 1000 }; /* what a request that is too long has left */

static int64_t in_seconds(int64_t now_ms, int seconds)
{
    return seconds > 0 ? now_ms + 1000 * (int64_t)seconds : 0;
}

const char *http_request_header(const struct http_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

static const union MHD_ConnectionInfo *info_of(struct MHD_Connection *connection,
                                               enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(connection, what);
}

/* Room for the target that is decoded, for the one that stays as sent, and for the segments. */
static bool take_target(struct http_exchange *ex, const char *uri)
{
    size_t size = strlen(uri) + 1;
    ex->uri = uri;
    ex->target_len = size - 1;
    ex->text = 3 * size + 1 <= sizeof(ex->room) ? ex->room : malloc(3 * size + 1);
    if (!ex->text)
        return false;
    memcpy(ex->text, uri, size);
    memcpy(ex->text + size, uri, size);
    ex->target = ex->text;
    ex->req.target = ex->text + size;
    ex->segments = ex->text + 2 * size;
    return true;
}

static void reset(struct http_exchange *ex, struct http_server *server, struct http_link *link,
                  struct MHD_Connection *connection)
{
    ex->server = server;
    ex->link = link;
    memset(&ex->req, 0, offsetof(struct http_request, params));
    ex->req.connection = connection;
    ex->req.memo = ex->memo;
    memcpy(&ex->req.peer, &link->connection.peer, sizeof(ex->req.peer));
    ex->body = (struct vmcp_buf)VMCP_BUF(server->options.body_max);
    ex->fault = NULL;
    ex->seen = ex->is_over_header_max = ex->dispatched = ex->answered = false;
    ex->handler = NULL;
    ex->waiter = (struct http_waiter){0};
    memset(ex->memo, 0, sizeof(ex->memo));
    ex->started_us = http_now_us();
}

/* libmicrohttpd would make a record of each parameter in the connection's memory, and leave a
 * client for whose parameters that does not suffice without any answer. Nobody asks it for them. */
static void hide_query(const char *uri)
{
    char *query = strchr((char *)(uintptr_t)uri, '?');
    if (query)
        query[1] = '\0';
}

/* Called with the request target as sent, before libmicrohttpd takes it apart. Where its memory
 * ends while it reads the headers, it never tells of the request's end: the connection's end, or
 * the next request, counts as it. */
void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_link *link = info ? info->socket_context : NULL;
    if (!link)
        return NULL;
    http_link_drop_exchange(server, link);
    struct http_exchange *ex = http_link_take_exchange(server);
    if (!ex)
        return NULL;
    reset(ex, server, link, connection);
    if (!take_target(ex, uri)) {
        http_link_give_exchange(server, ex);
        return NULL;
    }
    hide_query(uri);
    link->exchange = ex;
    if (ex->target_len >= HTTP_HEADER_MAX) /* libmicrohttpd may have no room to say so */
        atomic_store(&link->connection.deadline, ex->started_us / 1000 + TOO_LONG_MS);
    atomic_store_explicit(&link->connection.begun, true, memory_order_release);
    return ex;
}

void http_exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                       enum MHD_RequestTerminationCode how)
{
    struct http_server *server = cls;
    struct http_exchange *ex = *con_cls;
    (void)connection;
    if (!ex)
        return;
    int64_t now = http_now_us();
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK && atomic_load(&server->stopping))
        atomic_fetch_add(&server->finished, 1);
    if (ex->answered && server->options.log)
        server->options.log(server->options.app, &ex->req, &ex->reply, now - ex->started_us);
    struct http_link *link = ex->link;
    if (ex->answered)
        atomic_store_explicit(&link->connection.proven, true, memory_order_relaxed);
    http_link_drop_exchange(server, link);
    *con_cls = NULL;
    http_connection_wait(&link->connection, now / 1000,
                         in_seconds(now / 1000, server->options.header_timeout));
}

static void problem(struct http_exchange *ex, int status, enum vmcp_code code, const char *detail)
{
    const struct http_server_options *o = &ex->server->options;
    if (o->problem)
        o->problem(o->app, &ex->req, &ex->reply, status, code, detail);
    else
        http_reply_problem(&ex->reply, status, code, detail);
}

/* A body that is announced and can never be taken: answered at once, and not read. */
static bool body_is_announced_too_large(const struct http_exchange *ex)
{
    const char *length = http_request_header(&ex->req, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (ex->body.max == 0 && http_request_header(&ex->req, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        return true;
    return length && strtoull(length, NULL, 10) > ex->body.max;
}

/* Whom the limits count: the peer, or whom a trusted proxy speaks for. */
static void find_client(struct http_exchange *ex)
{
    const struct http_trusted *trusted = ex->server->options.trusted;
    ex->req.client = ex->link->connection.address;
    if (!trusted || !http_trusted_contains(trusted, &ex->req.client))
        return;
    auto_free char *x_forwarded_for = http_request_header_list(&ex->req, "X-Forwarded-For");
    auto_free char *forwarded = http_request_header_list(&ex->req, "Forwarded");
    ex->req.client =
        http_forwarded_client(trusted, &ex->link->connection.address, x_forwarded_for, forwarded);
}

/* The seconds until its client may ask again, or 0. */
static int count_request(struct http_exchange *ex)
{
    int retry_after = 0;
    if (!ex->server->rates || !ex->req.client.known)
        return 0;
    struct http_address group = http_address_group(&ex->req.client);
    (void)http_rates_take(ex->server->rates, &group, 1000 * ex->started_us, &retry_after);
    return retry_after;
}

/* What libmicrohttpd let pass: whoever is before us may have read another request in the same
 * bytes, so what comes next on the connection is not looked at (RFC 9112, section 9.6). */
static bool is_misframed(struct http_exchange *ex)
{
    if (ex->is_over_header_max)
        problem(ex, 431, VMCP_E_LIMIT, "request line and headers are over 8 KiB"); /* RFC 6585, 5 */
    else if (ex->fault)
        problem(ex, 400, VMCP_E_REQUEST_MALFORMED, ex->fault);
    else
        return false;
    http_reply_header(&ex->reply, MHD_HTTP_HEADER_CONNECTION, "close");
    return true;
}

static bool is_over_rate(struct http_exchange *ex)
{
    char text[16];
    int retry_after = count_request(ex);
    if (!retry_after)
        return false;
    snprintf(text, sizeof(text), "%d", retry_after);
    problem(ex, 429, VMCP_E_RATE, "too many requests from this address; try again later");
    http_reply_header(&ex->reply, MHD_HTTP_HEADER_RETRY_AFTER, text); /* RFC 6585, 4 */
    return true;
}

/* Does it ask for a host that this server knows nothing of? */
static bool is_for_another(struct http_exchange *ex)
{
    if (!ex->link->connection.names_count ||
        http_hosts_have(ex->server->options.hosts, http_request_host(&ex->req)))
        return false;
    problem(ex, 421, VMCP_E_MISDIRECTED,
            "this server does not answer for that Host; ask it by address, or have its operator "
            "add the name (--host)"); /* RFC 9110, section 15.5.20 */
    return true;
}

static bool is_probe(const struct http_exchange *ex, const struct http_route *route)
{
    const char *const *probes = ex->server->options.probes;
    for (size_t i = 0; route && probes && probes[i]; i++)
        if (strcmp(route->pattern, probes[i]) == 0)
            return true;
    return false;
}

/* What the glue refuses before anybody else sees the request. */
static bool is_refused(struct http_exchange *ex, const struct http_route *route)
{
    if (!is_probe(ex, route) && (is_over_rate(ex) || is_for_another(ex)))
        return true;
    if (!ex->body.failed && !body_is_announced_too_large(ex))
        return false;
    problem(ex, 413, VMCP_E_LIMIT, "the body is over its limit");
    return true;
}

/* Choose who answers: the glue itself, the guard, or a handler. */
static void dispatch(struct http_exchange *ex)
{
    const struct http_server_options *o = &ex->server->options;
    char allow[64];
    struct vmcp_error err = {0};
    ex->dispatched = true;
    ex->req.body = ex->body.len ? ex->body.data : NULL;
    ex->req.body_len = ex->body.len;
    find_client(ex);
    if (is_misframed(ex)) {
        (void)count_request(ex);
        return;
    }
    if (http_request_split(&ex->req, ex->target, &err) < 0) {
        (void)count_request(ex);
        problem(ex, 400, err.code, err.text);
        return;
    }
    const struct http_route *route = http_route_find(o->routes, &ex->req, ex->segments,
                                                     ex->target_len + 2, allow, sizeof(allow));
    if (is_refused(ex, route) || (o->guard && o->guard(o->app, &ex->req, &ex->reply)))
        return;
    if (route) {
        ex->handler = route->handler;
        ex->req.route = route;
    } else if (allow[0]) {
        problem(ex, 405, VMCP_E_METHOD, "this path does not take this method");
        http_reply_header(&ex->reply, "Allow", allow);
    } else {
        problem(ex, 404, VMCP_E_NOT_FOUND, "there is nothing at this path");
    }
}

static struct MHD_Response *make_response(struct http_exchange *ex)
{
    struct http_reply *reply = &ex->reply;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply->body_len, reply->body ? reply->body : (void *)(uintptr_t) "",
        reply->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        return NULL;
    reply->body = NULL; /* the response's now */
    if (reply->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (atomic_load_explicit(&ex->server->stopping, memory_order_relaxed))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

static enum MHD_Result send_reply(struct http_exchange *ex)
{
    const struct http_server_options *o = &ex->server->options;
    if (ex->reply.status == 0)
        problem(ex, 500, VMCP_E_INTERNAL, "the server did not answer this request");
    if (o->decorate)
        o->decorate(o->app, &ex->req, &ex->reply);
    struct MHD_Response *response = ex->reply.drop ? NULL : make_response(ex);
    if (!response)
        return MHD_NO;
    enum MHD_Result queued =
        MHD_queue_response(ex->req.connection, (unsigned)ex->reply.status, response);
    MHD_destroy_response(response);
    ex->answered = true;
    http_connection_answer(&ex->link->connection, http_now_ms());
    return queued;
}

/* No deadline while the handler waits; from then on the client has to take its answer. */
static void put_aside(struct http_exchange *ex, uint64_t mark)
{
    ex->waiter.connection = ex->req.connection;
    ex->waiter.until = ex->reply.wait_until;
    http_connection_work(&ex->link->connection, 0);
    http_waiting_put(&ex->server->waiting, &ex->waiter, mark);
}

static void set_transfer_deadline(struct http_exchange *ex)
{
    http_connection_work(&ex->link->connection, in_seconds(http_now_ms(), HTTP_TRANSFER_TIMEOUT));
}

/* The whole request is here: answer it, or put it aside. */
static enum MHD_Result answer(struct http_exchange *ex)
{
    struct http_server *server = ex->server;
    if (!ex->dispatched)
        dispatch(ex);
    if (!ex->handler)
        return send_reply(ex);
    uint64_t mark = http_waiting_mark(&server->waiting);
    int64_t until = ex->reply.wait_until;
    if (until)
        http_reply_clear(&ex->reply);
    ex->req.timed_out =
        atomic_load(&server->stopping) || ex->waiter.gone || (until && http_now_ms() >= until);
    ex->handler(server->options.app, &ex->req, &ex->reply);
    if (!ex->reply.wait_until || ex->req.timed_out) {
        if (until)
            set_transfer_deadline(ex);
        return send_reply(ex);
    }
    if (until) /* the first answer to "until when" counts */
        ex->reply.wait_until = until;
    put_aside(ex, mark);
    return MHD_YES;
}

/* The headers are here. */
static enum MHD_Result take_headers(struct http_exchange *ex, const char *method,
                                    const char *version)
{
    ex->seen = true;
    if (!http_link_is_admitted(ex->server, ex->link, ex->req.connection))
        return MHD_NO;
    ex->req.method = method;
    ex->fault = http_head_fault(ex->req.connection, method, ex->uri, ex->target_len, version);
    const union MHD_ConnectionInfo *info =
        info_of(ex->req.connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    ex->is_over_header_max = info && info->header_size > HTTP_HEADER_MAX;
    set_transfer_deadline(ex);
    if (!body_is_announced_too_large(ex))
        return MHD_YES;
    dispatch(ex); /* 413 now, and the connection is closed without reading the body */
    return send_reply(ex);
}

/* libmicrohttpd calls this with the headers, then for each piece of the body, then at its end. An
 * answer that is queued on the first call closes the connection afterwards, so none is. */
enum MHD_Result http_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version,
                                     const char *upload_data, size_t *upload_data_size,
                                     void **con_cls)
{
    struct http_exchange *ex = *con_cls;
    (void)cls;
    (void)connection;
    (void)url;
    if (!ex)
        return MHD_NO; /* no memory for this one */
    if (!ex->seen)
        return take_headers(ex, method, version);
    if (*upload_data_size > 0) {
        vmcp_buf_add(&ex->body, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return ex->body.failed ? MHD_NO : MHD_YES; /* chunked, and over the limit: cut off */
    }
    return answer(ex);
}
