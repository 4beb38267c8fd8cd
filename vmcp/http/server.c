/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "forwarded.h"
#include "hosts.h"
#include "server_internal.h"

enum {
    FDS_ELSEWHERE = 64, /* files, listeners, libmicrohttpd's own: not for connections */
    STOP_LOOK_US = 5000,
};

/* We decode by ourselves: libmicrohttpd's decoding would end strings at an encoded NUL. */
static size_t leave_as_sent(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

static void note_connection(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode how)
{
    if (how == MHD_CONNECTION_NOTIFY_STARTED)
        http_link_connected(cls, connection, context);
    else
        http_link_disconnected(cls, context);
}

/* libmicrohttpd tells only here that it has refused something by itself. */
static void note_message(void *cls, const char *fmt, va_list args)
{
    static const char refused[] = "Error processing request (HTTP response code is %u";
    const struct http_server *server = cls;
    if (server->options.unread && strncmp(fmt, refused, sizeof(refused) - 1) == 0)
        server->options.unread(server->options.app, (int)va_arg(args, unsigned));
}

static unsigned thread_count(unsigned wanted)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted)
        return wanted;
    return cpus < 2 ? 2 : cpus > 8 ? 8 : (unsigned)cpus;
}

/* libmicrohttpd divides its limit of connections among its threads and gives none of them more than
 * its part, so it gets one that it never reaches: the table of connections has the real one. */
static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_server_options *o = &server->options;
    unsigned threads = thread_count(o->threads);
    unsigned flags =
        MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    int idle = o->idle_timeout > 0 ? o->idle_timeout : 0;
    /* With epoll(7) it asks again and again whether there is more of a handshake that has begun:
     * one byte of a client's would take a processor until the deadline. */
    flags |= o->tls ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD : MHD_USE_EPOLL_INTERNAL_THREAD;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)note_message, server}, /* the first, or it is late */
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_exchange_begin, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_exchange_end, server},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_as_sent, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL_MAX, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, 2 * o->connections_max * (intptr_t)threads, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, idle, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
        {o->tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, 0,
         (void *)(uintptr_t)http_tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_tls_no_certificate},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(flags, 0, NULL, NULL, http_exchange_handle, server, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

/* A page that has its name lead elsewhere reaches what its browser reaches, and TLS does not let it
 * in: the name is not the certificate's. Beyond loopback nobody knows what a server is called. */
static bool names_count(const struct http_server_options *o, int fd)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof(own);
    struct http_address address;
    if (!o->hosts || o->hosts->everywhere)
        return o->hosts;
    if (o->tls || getsockname(fd, (struct sockaddr *)&own, &len) < 0)
        return false;
    http_address_of((const struct sockaddr *)&own, &address);
    return http_address_is_loopback(&address);
}

/* The acceptor's two questions. */

static bool add(struct http_server *server, int fd, const struct sockaddr *peer, socklen_t peer_len,
                int each_max, bool is_spared)
{
    const struct http_server_options *o = &server->options;
    struct http_link *link = calloc(1, sizeof(*link));
    if (!link) {
        close(fd);
        return false;
    }
    link->connection.fd = fd;
    link->connection.is_spared = is_spared;
    link->connection.names_count = names_count(o, fd);
    if (peer_len <= sizeof(link->connection.peer))
        memcpy(&link->connection.peer, peer, peer_len);
    int64_t now = http_now_ms();
    int64_t deadline = o->header_timeout > 0 ? now + 1000 * (int64_t)o->header_timeout : 0;
    if (!http_connections_add(&server->connections, &link->connection,
                              each_max > 0 ? (unsigned)each_max : 0, deadline)) {
        http_link_tell(server, link->connection.why, &link->connection.address);
        close(fd);
        free(link);
        return false;
    }
    if (MHD_add_connection(server->daemon, fd, peer, peer_len) == MHD_YES)
        return true;
    http_connections_remove(&server->connections, &link->connection); /* libmicrohttpd closed it */
    free(link);
    return false;
}

/* Before a handshake, which costs the server more than its client. */
static bool is_over_rate(struct http_server *server, const struct http_address *address)
{
    struct http_address group = http_address_group(address);
    int retry_after;
    return server->accepts &&
           !http_rates_take(server->accepts, &group, 1000 * http_now_us(), &retry_after);
}

static void take_accepted(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct http_server *server = arg;
    struct http_address address;
    http_address_of(peer, &address);
    bool uncounted = !address.known || (server->options.trusted &&
                                        http_trusted_contains(server->options.trusted, &address));
    if (!uncounted && is_over_rate(server, &address)) {
        http_link_tell(server, HTTP_END_RATE, &address);
        close(fd);
        return;
    }
    (void)add(server, fd, peer, peer_len, uncounted ? 0 : server->options.connections_each,
              uncounted);
}

static bool accepts_no_more(void *arg, bool urgent)
{
    struct http_server *server = arg;
    if (urgent)
        (void)http_connections_make_room(&server->connections);
    return http_connections_lag(&server->connections);
}

static void set_default(int *value, int fallback)
{
    if (*value == 0)
        *value = fallback;
}

/* As many connections as the process may have descriptors for. */
static int connections_possible(int wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return wanted;
    if (files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    rlim_t most =
        files.rlim_cur > 2 * FDS_ELSEWHERE ? files.rlim_cur - FDS_ELSEWHERE : files.rlim_cur / 2;
    return most < (rlim_t)wanted ? (int)most : wanted;
}

static void set_defaults(struct http_server_options *o)
{
    set_default(&o->connections_max, HTTP_CONNECTIONS_MAX);
    if (o->connections_max < 0)
        o->connections_max = 1000000;
    o->connections_max = connections_possible(o->connections_max);
    set_default(&o->connections_each, HTTP_CONNECTIONS_EACH);
    set_default(&o->header_timeout, HTTP_HEADER_TIMEOUT);
    set_default(&o->idle_timeout, HTTP_IDLE_TIMEOUT);
    set_default(&o->rate, HTTP_RATE);
    set_default(&o->rate_burst, HTTP_RATE_BURST);
    set_default(&o->connection_rate, HTTP_CONNECTION_RATE);
    if (o->rate_burst < o->rate) /* a second's worth at once, or the rate is never reached */
        o->rate_burst = o->rate;
}

static int start_parts(struct http_server *server, struct vmcp_error *err)
{
    const struct http_server_options *o = &server->options;
    int rc = 0;
    if (o->rate > 0)
        rc = http_rates_new((unsigned)o->rate, (unsigned)o->rate_burst, &server->rates, err);
    if (rc == 0 && o->connection_rate > 0)
        rc = http_rates_new((unsigned)o->connection_rate,
                            HTTP_CONNECTION_BURST * (unsigned)o->connection_rate, &server->accepts,
                            err);
    if (rc < 0)
        return rc;
    rc = http_acceptor_init(&server->acceptor, err);
    if (rc < 0)
        return rc;
    rc = http_connections_start(&server->connections, (unsigned)o->connections_max, err);
    if (rc < 0) {
        http_acceptor_stop(&server->acceptor);
        return rc;
    }
    rc = http_waiting_start(&server->waiting, err);
    if (rc < 0) {
        http_acceptor_stop(&server->acceptor);
        http_connections_stop(&server->connections);
    }
    return rc;
}

static void free_parts(struct http_server *server)
{
    http_connections_stop(&server->connections);
    http_rates_free(server->rates);
    http_rates_free(server->accepts);
    http_tls_slot_clear(&server->tls);
    free(pthread_getspecific(server->spare)); /* libmicrohttpd's threads have freed theirs */
    pthread_key_delete(server->spare);
    free(server);
}

int http_server_start(const struct http_server_options *options, int listen_fd,
                      struct http_server **ret, struct vmcp_error *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    if (!server)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a server");
    server->options = *options;
    set_defaults(&server->options);
    server->acceptor.take = take_accepted;
    server->acceptor.full = accepts_no_more;
    server->acceptor.arg = server;
    if (pthread_key_create(&server->spare, free) != 0) {
        free(server);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a server's threads");
    }
    int rc = start_parts(server, err);
    if (rc < 0) {
        pthread_key_delete(server->spare);
        http_rates_free(server->rates);
        http_rates_free(server->accepts);
        free(server);
        return rc;
    }
    http_tls_slot_init(&server->tls, options->tls);
    server->daemon = start_daemon(server);
    if (!server->daemon)
        rc = vmcp_fail(err, VMCP_E_NETWORK, "the HTTP server cannot be started: %s",
                       strerror(errno));
    struct http_listener listener = {.fd = listen_fd};
    if (rc == 0 && listen_fd >= 0)
        rc = http_server_listen(server, &listener, err);
    if (rc < 0) {
        http_server_stop(server, 0);
        return rc;
    }
    *ret = server;
    return 0;
}

int http_server_listen(struct http_server *server, struct http_listener *listener,
                       struct vmcp_error *err)
{
    return http_acceptor_add(&server->acceptor, listener, err);
}

void http_server_set_tls(struct http_server *server, struct http_tls *tls)
{
    http_tls_slot_set(&server->tls, tls);
}

int http_server_add_connection(struct http_server *server, int fd, const struct sockaddr *peer,
                               socklen_t peer_len, struct vmcp_error *err)
{
    if (!add(server, fd, peer, peer_len, HTTP_CONNECTIONS_VM, false))
        return vmcp_fail(err, VMCP_E_OVERLOADED,
                         "no room for this connection; one address has at most %d",
                         HTTP_CONNECTIONS_VM);
    return 0;
}

void http_server_wake(struct http_server *server)
{
    http_waiting_wake(&server->waiting);
}

unsigned http_server_connections(struct http_server *server)
{
    return http_connections_count(&server->connections);
}

struct http_drained http_server_drain(struct http_server *server, int grace_ms,
                                      bool (*is_urgent)(void *arg), void *arg)
{
    if (!atomic_load(&server->stopping)) {
        http_acceptor_stop(&server->acceptor);
        atomic_store(&server->stopping, true);
        http_waiting_stop(&server->waiting);
    }
    int64_t until = http_now_ms() + grace_ms;
    size_t busy;
    while ((busy = http_connections_busy(&server->connections)) > 0 && http_now_ms() < until &&
           !(is_urgent && is_urgent(arg)))
        usleep(STOP_LOOK_US);
    return (struct http_drained){atomic_load(&server->finished), (unsigned)busy};
}

void http_server_stop(struct http_server *server, int grace_ms)
{
    if (!server)
        return;
    if (!atomic_load(&server->stopping))
        (void)http_server_drain(server, grace_ms, NULL, NULL);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free_parts(server);
}
