/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/auto.h"
#include "server_internal.h"

/* One request from its first line to its last byte of answer. */
struct exchange {
    struct http_server *server;
    struct http_request req;
    struct http_reply reply;
    char *target;   /* decoded in place; req points into it */
    char *segments; /* what the route's {…} matched */
    size_t target_len;
    struct vmcp_buf body;
    bool seen;       /* the handler was called before: headers only */
    bool dispatched; /* `handler` is set, or the glue answered */
    bool answered;
    http_handler handler;
    int64_t started_us;
    char memo[HTTP_MEMO_MAX];                      /* the handler's own, see server.h */
    struct exchange *next_waiting, **waiting_link; /* in server->waiting; NULL link: not there */
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    int listen_fd;
    atomic_int in_flight;
    atomic_bool stopping;
    /* Waiting requests: suspended connections, resumed by a wake or the timer. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t timer;
    struct exchange *waiting;
    uint64_t wakes; /* counts http_server_wake(), so that none is lost before the suspension */
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

/* Called with the request target as sent, before libmicrohttpd takes it apart. */
static void *begin_exchange(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    struct exchange *ex = calloc(1, sizeof(*ex));
    if (!ex)
        return NULL;
    atomic_fetch_add(&server->in_flight, 1);
    *ex = (struct exchange){.server = server, .body = VMCP_BUF(HTTP_BODY_MAX)};
    ex->started_us = now_us();
    ex->target_len = strlen(uri);
    ex->target = malloc(2 * ex->target_len + 2);
    ex->segments = malloc(ex->target_len + 2);
    ex->req.connection = connection;
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
    (void)connection;
    (void)how;
    if (!ex)
        return;
    if (ex->answered && server->options.log)
        server->options.log(server->options.app, &ex->req, &ex->reply, now_us() - ex->started_us);
    http_reply_clear(&ex->reply);
    vmcp_buf_clear(&ex->body);
    free(ex->target);
    free(ex->segments);
    free(ex);
    *con_cls = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
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
    return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX;
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

static void leave_waiting(struct exchange *ex)
{
    if (!ex->waiting_link)
        return;
    *ex->waiting_link = ex->next_waiting;
    if (ex->next_waiting)
        ex->next_waiting->waiting_link = ex->waiting_link;
    ex->waiting_link = NULL;
}

/* Put the request aside. `wakes` was read before its handler looked at the world: if it has changed
 * since, the handler looks again at once. */
static void wait_for_wake(struct exchange *ex, uint64_t wakes)
{
    struct http_server *server = ex->server;
    pthread_mutex_lock(&server->lock);
    MHD_suspend_connection(ex->req.connection);
    if (server->wakes != wakes || atomic_load(&server->stopping)) {
        MHD_resume_connection(ex->req.connection);
    } else {
        ex->next_waiting = server->waiting;
        ex->waiting_link = &server->waiting;
        if (server->waiting)
            server->waiting->waiting_link = &ex->next_waiting;
        server->waiting = ex;
        pthread_cond_signal(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
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
    pthread_mutex_lock(&server->lock);
    uint64_t wakes = server->wakes;
    pthread_mutex_unlock(&server->lock);
    int64_t until = ex->reply.wait_until;
    http_reply_clear(&ex->reply);
    ex->req.timed_out = atomic_load(&server->stopping) || (until && http_now_ms() >= until);
    ex->handler(server->options.app, &ex->req, &ex->reply);
    if (!ex->reply.wait_until || ex->req.timed_out)
        return send_reply(ex);
    if (until) /* the first answer to "until when" counts */
        ex->reply.wait_until = until;
    wait_for_wake(ex, wakes);
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
    (void)version;
    if (!ex || !ex->target || !ex->segments)
        return MHD_NO; /* no memory for this one */
    if (!ex->seen) {
        ex->seen = true;
        ex->req.method = method;
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

/* Resume those whose time has come; all of them with `everyone`. Locked by the caller. */
static void resume_waiting(struct http_server *server, bool everyone)
{
    int64_t now = http_now_ms();
    struct exchange *next;
    for (struct exchange *ex = server->waiting; ex; ex = next) {
        next = ex->next_waiting;
        if (!everyone && ex->reply.wait_until > now)
            continue;
        leave_waiting(ex);
        MHD_resume_connection(ex->req.connection);
    }
}

static int64_t nearest_deadline(const struct http_server *server)
{
    int64_t nearest = http_now_ms() + 1000;
    for (const struct exchange *ex = server->waiting; ex; ex = ex->next_waiting)
        if (ex->reply.wait_until < nearest)
            nearest = ex->reply.wait_until;
    return nearest;
}

static void *run_timer(void *arg)
{
    struct http_server *server = arg;
    pthread_mutex_lock(&server->lock);
    while (!atomic_load(&server->stopping)) {
        int64_t at = nearest_deadline(server);
        struct timespec t = {at / 1000, (at % 1000) * 1000000};
        if (server->waiting)
            pthread_cond_timedwait(&server->changed, &server->lock, &t);
        else
            pthread_cond_wait(&server->changed, &server->lock);
        resume_waiting(server, false);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

void http_server_wake(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->wakes++;
    resume_waiting(server, true);
    pthread_mutex_unlock(&server->lock);
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
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_sent, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADER_MAX, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, HTTP_CONNECTION_IDLE, NULL},
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
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    server->daemon = start_daemon(server);
    if (!server->daemon || pthread_create(&server->timer, NULL, run_timer, server) != 0) {
        if (server->daemon)
            MHD_stop_daemon(server->daemon); /* closes the socket as well */
        free(server);
        return vmcp_fail(err, VMCP_E_NETWORK, "the HTTP server cannot be started: %s",
                         strerror(errno));
    }
    *ret = server;
    return 0;
}

int http_server_add_connection(struct http_server *server, int fd, const struct sockaddr *peer,
                               socklen_t peer_len, struct vmcp_error *err)
{
    if (MHD_add_connection(server->daemon, fd, peer, peer_len) != MHD_YES)
        return vmcp_fail(err, VMCP_E_OVERLOADED, "the server takes no further connection: %s",
                         strerror(errno)); /* libmicrohttpd has closed it */
    return 0;
}

void http_server_stop(struct http_server *server, int grace_ms)
{
    if (!server)
        return;
    int fd = server->listen_fd < 0 ? -1 : MHD_quiesce_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->stopping, true);
    resume_waiting(server, true);
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->timer, NULL);
    int64_t until = http_now_ms() + grace_ms;
    while (atomic_load(&server->in_flight) > 0 && http_now_ms() < until)
        usleep(5000);
    MHD_stop_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
