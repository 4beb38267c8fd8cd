/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "exchange.h"

static const union MHD_ConnectionInfo *info_of(struct MHD_Connection *connection,
                                               enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(connection, what);
}

void http_link_connected(struct http_server *server, struct MHD_Connection *connection,
                         void **context)
{
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_link *link =
        info ? (struct http_link *)http_connections_started(&server->connections, info->connect_fd)
             : NULL;
    *context = link;
    if (!link || !server->options.tls)
        return;
    link->tls = http_tls_slot_get(&server->tls);
    info = info_of(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info)
        http_tls_attach(link->tls, info->tls_session, &link->handshake);
}

bool http_link_is_admitted(struct http_server *server, struct http_link *link,
                           struct MHD_Connection *connection)
{
    if (!link->tls)
        return true;
    bool is_latest = link->tls == atomic_load_explicit(&server->tls.latest, memory_order_acquire);
    if (is_latest && (!http_tls_wants_client(link->tls) || time(NULL) < link->client_until))
        return true;
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    void *session = info ? info->tls_session : NULL;
    bool is_first = is_latest && !link->client_until; /* the handshake has looked */
    if (!is_latest) {
        struct http_tls *old = link->tls;
        link->tls = http_tls_slot_get(&server->tls);
        http_tls_unref(old);
    }
    int64_t now = time(NULL), until = session ? http_tls_look_again(session, now) : 0;
    bool admitted =
        session && ((is_first && until > now) || http_tls_admits(link->tls, session, &link->why));
    link->client_until = admitted ? until : 0;
    return admitted;
}

/* This thread's spare one, or a new one. */
struct http_exchange *http_link_take_exchange(struct http_server *server)
{
    struct http_exchange *ex = pthread_getspecific(server->spare);
    if (!ex)
        return calloc(1, sizeof(*ex));
    (void)pthread_setspecific(server->spare, NULL);
    return ex;
}

void http_link_give_exchange(struct http_server *server, struct http_exchange *ex)
{
    http_reply_clear(&ex->reply);
    vmcp_buf_clear(&ex->body);
    if (ex->text != ex->room)
        free(ex->text);
    ex->text = NULL;
    if (pthread_getspecific(server->spare) || pthread_setspecific(server->spare, ex) != 0)
        free(ex);
}

void http_link_drop_exchange(struct http_server *server, struct http_link *link)
{
    if (link->exchange)
        http_link_give_exchange(server, link->exchange);
    link->exchange = NULL;
}

void http_link_tell(struct http_server *server, enum http_end why, const struct http_address *peer)
{
    if (why != HTTP_END_NONE && server->options.ended)
        server->options.ended(server->options.app, why, peer);
}

/* Whoever only connects, as some load balancers do to see that somebody listens, has failed at
 * nothing. The end of its bytes counts as one. */
static bool has_spoken(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_bytes_received > 1;
}

static enum http_end why_it_ended(const struct http_server *server, const struct http_link *link)
{
    enum { TICK_MS = 20 }; /* libmicrohttpd has a clock that stands still for so long */
    const struct http_connection *c = &link->connection;
    int64_t idle_ms = 1000 * (int64_t)server->options.idle_timeout;
    int64_t since = atomic_load(&c->waiting_since);
    if (c->why || c->doomed || atomic_load(&server->stopping))
        return c->why;
    if (link->why)
        return link->why;
    if (link->tls && !link->handshake.is_done && has_spoken(c->fd))
        return link->handshake.refusal ? link->handshake.refusal : HTTP_END_HANDSHAKE;
    /* Not whether the client's end has come: it answers ours within microseconds. */
    if (idle_ms > 0 && since && since + idle_ms <= http_now_ms() + TICK_MS)
        return HTTP_END_IDLE;
    return HTTP_END_NONE;
}

void http_link_disconnected(struct http_server *server, void **context)
{
    struct http_link *link = *context;
    if (!link)
        return;
    http_connections_remove(&server->connections, &link->connection);
    enum http_end why = why_it_ended(server, link);
    http_link_tell(server, why, &link->connection.address);
    http_link_drop_exchange(server, link);
    http_tls_unref(link->tls);
    free(link);
    *context = NULL;
}
