/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/auto.h"
#include "peers.h"
#include "server_internal.h"
#include "waiting.h"

/* One request from its first line to its last byte of answer. */
struct exchange {
    struct http_server *server;
    struct http_request req;
    struct http_reply reply;
    char *target;   /* decoded in place; req points into it */
    char *segments; /* what the route's {…} matched */
    size_t target_len;
    const char *uri; /* libmicrohttpd's own target: to compare with, not to read */
    struct vmcp_buf body;
    bool seen; /* the handler was called before: headers only */
    bool has_hidden_part;
    bool dispatched; /* `handler` is set, or the glue answered */
    bool answered;
    http_handler handler;
    int64_t started_us;
    char memo[HTTP_MEMO_MAX]; /* the handler's own, see server.h */
    struct http_waiter waiter;
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    int listen_fd;
    atomic_int in_flight;
    atomic_bool stopping;
    struct http_waiting waiting;
    struct http_peers peers; /* of added connections */
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t http_now_ms(void)
{
    return now_us() / 1000;
}

const char *http_request_header(const struct http_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

/* The exchange that a connection is in. libmicrohttpd tells of a request's beginning but, where its
 * memory ends while it reads the headers, never of its end: then the connection's end counts. */
static void set_current(struct MHD_Connection *connection, struct exchange *ex)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange **current = info ? info->socket_context : NULL;
    if (current)
        *current = ex;
}

/* Called with the request target as sent, before libmicrohttpd takes it apart. */
static void *begin_exchange(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    struct exchange *ex = calloc(1, sizeof(*ex));
    if (!ex)
        return NULL;
    atomic_fetch_add(&server->in_flight, 1);
    *ex = (struct exchange){.server = server, .body = VMCP_BUF(server->options.body_max)};
    ex->started_us = now_us();
    ex->target_len = strlen(uri);
    ex->uri = uri;
    ex->target = malloc(2 * ex->target_len + 2);
    ex->segments = malloc(ex->target_len + 2);
    ex->req.connection = connection;
    set_current(connection, ex);
    ex->req.memo = ex->memo;
    if (ex->target) {
        memcpy(ex->target, uri, ex->target_len + 1);
        /* The second half keeps the target as it was sent. */
        memcpy(ex->target + ex->target_len + 1, uri, ex->target_len + 1);
        ex->req.target = ex->target + ex->target_len + 1;
    }
    return ex;
}

static void end_exchange(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *server = cls;
    struct exchange *ex = *con_cls;
    (void)how;
    if (!ex)
        return;
    set_current(connection, NULL);
    atomic_fetch_sub(&server->in_flight, 1);
    if (ex->answered && server->options.log)
        server->options.log(server->options.app, &ex->req, &ex->reply, now_us() - ex->started_us);
    http_reply_clear(&ex->reply);
    vmcp_buf_clear(&ex->body);
    free(ex->target);
    free(ex->segments);
    free(ex);
    *con_cls = NULL;
}

static void problem(struct exchange *ex, int status, enum vmcp_code code, const char *detail)
{
    const struct http_server_options *o = &ex->server->options;
    if (o->problem)
        o->problem(o->app, &ex->req, &ex->reply, status, code, detail);
    else
        http_reply_problem(&ex->reply, status, code, detail);
}

static bool body_is_announced_too_large(const struct exchange *ex)
{
    const char *length = http_request_header(&ex->req, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > ex->body.max;
}

/* Choose who answers: the glue itself, the guard, or a handler. */
static void dispatch(struct exchange *ex)
{
    const struct http_server_options *o = &ex->server->options;
    struct vmcp_error err = {0};
    char allow[64];
    ex->dispatched = true;
    ex->req.body = ex->body.len ? ex->body.data : NULL;
    ex->req.body_len = ex->body.len;
    if (ex->has_hidden_part) {
        problem(ex, 400, VMCP_E_REQUEST_MALFORMED, "a NUL byte in the request line");
        return;
    }
    if (!ex->req.path && http_request_split(&ex->req, ex->target, &err) < 0) {
        problem(ex, 400, err.code, err.text);
        return;
    }
    if (ex->body.failed || body_is_announced_too_large(ex)) {
        problem(ex, 413, VMCP_E_LIMIT, "the body is over its limit");
        return;
    }
    if (o->guard && o->guard(o->app, &ex->req, &ex->reply))
        return;
    const struct http_route *route = http_route_find(o->routes, &ex->req, ex->segments,
                                                     ex->target_len + 2, allow, sizeof(allow));
    if (route) {
        ex->handler = route->handler;
    } else if (allow[0]) {
        problem(ex, 405, VMCP_E_METHOD, "this path does not take this method");
        http_reply_header(&ex->reply, "Allow", allow);
    } else {
        problem(ex, 404, VMCP_E_NOT_FOUND, "there is nothing at this path");
    }
}

static enum MHD_Result send_reply(struct exchange *ex)
{
    struct http_reply *reply = &ex->reply;
    const struct http_server_options *o = &ex->server->options;
    if (reply->status == 0)
        problem(ex, 500, VMCP_E_INTERNAL, "the server did not answer this request");
    if (o->decorate)
        o->decorate(o->app, &ex->req, reply);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply->body_len, reply->body ? reply->body : (void *)(uintptr_t) "",
        reply->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    reply->body = NULL; /* the response's now */
    if (reply->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (atomic_load(&ex->server->stopping))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued =
        MHD_queue_response(ex->req.connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    ex->answered = true;
    return queued;
}

/* The whole request is here: answer it, or put it aside. */
static enum MHD_Result answer(struct exchange *ex)
{
    struct http_server *server = ex->server;
    if (!ex->dispatched)
        dispatch(ex);
    if (!ex->handler)
        return send_reply(ex);
    uint64_t mark = http_waiting_mark(&server->waiting);
    int64_t until = ex->reply.wait_until;
    http_reply_clear(&ex->reply);
    ex->req.timed_out =
        atomic_load(&server->stopping) || ex->waiter.gone || (until && http_now_ms() >= until);
    ex->handler(server->options.app, &ex->req, &ex->reply);
    if (!ex->reply.wait_until || ex->req.timed_out)
        return send_reply(ex);
    if (until) /* the first answer to "until when" counts */
        ex->reply.wait_until = until;
    ex->waiter.connection = ex->req.connection;
    ex->waiter.until = ex->reply.wait_until;
    http_waiting_put(&server->waiting, &ex->waiter, mark);
    return MHD_YES;
}

static void set_peer(struct exchange *ex)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->req.connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *peer = info ? info->client_addr : NULL;
    if (peer && peer->sa_family == AF_INET)
        memcpy(&ex->req.peer, peer, sizeof(struct sockaddr_in));
    else if (peer && peer->sa_family == AF_INET6)
        memcpy(&ex->req.peer, peer, sizeof(struct sockaddr_in6));
}

/* A raw NUL in the request line would hide the rest of the target from us: all of libmicrohttpd's
 * strings end at it. But it leaves the line where it lies, and so the version stands farther behind
 * the target than the target is long. */
static bool has_hidden_part(const struct exchange *ex, const char *version)
{
    uintptr_t from = (uintptr_t)ex->uri, to = (uintptr_t)version;
    return to > from + ex->target_len + 1 && to < from + HTTP_HEADER_MAX;
}

/* libmicrohttpd calls this with the headers, then for each piece of the body, then at its end. An
 * answer that is queued on the first call closes the connection afterwards, so none is. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **con_cls)
{
    struct exchange *ex = *con_cls;
    (void)cls;
    (void)connection;
    (void)url;
    if (!ex || !ex->target || !ex->segments)
        return MHD_NO; /* no memory for this one */
    if (!ex->seen) {
        ex->seen = true;
        ex->req.method = method;
        ex->has_hidden_part = has_hidden_part(ex, version);
        set_peer(ex);
        if (body_is_announced_too_large(ex)) {
            dispatch(ex); /* 413 now, and the connection is closed without reading the body */
            return send_reply(ex);
        }
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        vmcp_buf_add(&ex->body, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return ex->body.failed ? MHD_NO : MHD_YES; /* chunked, and over the limit: cut off */
    }
    return answer(ex);
}

/* We decode by ourselves: libmicrohttpd's decoding would end strings at an encoded NUL. */
static size_t leave_as_sent(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

void http_server_wake(struct http_server *server)
{
    http_waiting_wake(&server->waiting);
}

/* A connection begins and ends. */
static void note_connection(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode how)
{
    struct http_server *server = cls;
    if (how == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = calloc(1, sizeof(struct exchange *));
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct exchange **current = *context;
    if (current && *current) {
        void *ex = *current;
        end_exchange(server, connection, &ex, MHD_REQUEST_TERMINATED_WITH_ERROR);
    }
    free(current);
    *context = NULL;
    if (info && info->client_addr)
        http_peers_give(&server->peers, info->client_addr);
}

static unsigned thread_count(unsigned wanted)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted)
        return wanted;
    return cpus < 2 ? 2 : cpus > 8 ? 8 : (unsigned)cpus;
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    if (server->listen_fd < 0)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)begin_exchange, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)end_exchange, server},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_sent, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADER_MAX, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_TIMEOUT, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)thread_count(server->options.threads), NULL},
        {server->listen_fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
         NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_ARRAY, options,
                            MHD_OPTION_END);
}

int http_server_start(const struct http_server_options *options, int listen_fd,
                      struct http_server **ret, struct vmcp_error *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    if (!server)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a server");
    server->options = *options;
    server->listen_fd = listen_fd;
    /* All that is added could land on one thread, which has its part of the whole limit only. */
    http_peers_init(&server->peers, HTTP_CONNECTIONS_MAX / thread_count(options->threads) / 2,
                    HTTP_CONNECTIONS_VM);
    int rc = http_waiting_start(&server->waiting, err);
    if (rc < 0) {
        free(server);
        return rc;
    }
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        rc = vmcp_fail(err, VMCP_E_NETWORK, "the HTTP server cannot be started: %s",
                       strerror(errno));
        http_waiting_stop(&server->waiting);
        free(server);
        return rc;
    }
    *ret = server;
    return 0;
}

int http_server_add_connection(struct http_server *server, int fd, const struct sockaddr *peer,
                               socklen_t peer_len, struct vmcp_error *err)
{
    if (!http_peers_take(&server->peers, peer)) {
        close(fd);
        return vmcp_fail(err, VMCP_E_OVERLOADED, "%d connections of one address are enough",
                         HTTP_CONNECTIONS_VM);
    }
    if (MHD_add_connection(server->daemon, fd, peer, peer_len) != MHD_YES) {
        http_peers_give(&server->peers, peer); /* libmicrohttpd has closed it */
        return vmcp_fail(err, VMCP_E_OVERLOADED, "the server takes no further connection: %s",
                         strerror(errno));
    }
    return 0;
}

void http_server_stop(struct http_server *server, int grace_ms)
{
    if (!server)
        return;
    int fd = server->listen_fd < 0 ? -1 : MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR); /* whoever is in the queue learns at once that nobody comes */
    atomic_store(&server->stopping, true);
    http_waiting_stop(&server->waiting);
    int64_t until = http_now_ms() + grace_ms;
    while (atomic_load(&server->in_flight) > 0 && http_now_ms() < until)
        usleep(5000);
    MHD_stop_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    free(server);
}
