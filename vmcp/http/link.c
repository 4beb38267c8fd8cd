/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <stdlib.h>

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
        http_tls_attach(link->tls, info->tls_session);
}

/* The certificate may have been replaced since the handshake: may this client still come in? */
bool http_link_is_admitted(struct http_server *server, struct http_link *link,
                           struct MHD_Connection *connection)
{
    if (!link->tls || link->tls == atomic_load_explicit(&server->tls.latest, memory_order_acquire))
        return true;
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct http_tls *old = link->tls;
    link->tls = http_tls_slot_get(&server->tls);
    bool admitted = info && http_tls_admits(link->tls, info->tls_session);
    http_tls_unref(old);
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

void http_link_disconnected(struct http_server *server, void **context)
{
    struct http_link *link = *context;
    if (!link)
        return;
    http_connections_remove(&server->connections, &link->connection);
    http_link_drop_exchange(server, link);
    http_tls_unref(link->tls);
    free(link);
    *context = NULL;
}
