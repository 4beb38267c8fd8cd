/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - a connection at libmicrohttpd: its place in the table, its certificate, its request.
 *
 * Called on the connection's own thread.
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include <microhttpd.h>
#include <stdbool.h>

#include "connections.h"
#include "server_internal.h"
#include "tls.h"

struct http_exchange;

struct http_link {
    struct http_connection connection; /* first: the table frees through it */
    struct http_tls *tls;              /* what its handshake was made with; NULL: plain */
    struct http_handshake handshake;
    enum http_end why;    /* its own thread ended it */
    int64_t client_until; /* when to look at its client's certificate again; 0: not known yet */
    struct http_exchange *exchange; /* NULL: between requests */
};

/* A connection has begun. *context becomes its link; NULL where the table does not know it: its
 * first request is refused. */
void http_link_connected(struct http_server *server, struct MHD_Connection *connection,
                         void **context);
/* It ends: counts no more, and is freed. */
void http_link_disconnected(struct http_server *server, void **context);

/* A connection from there was ended by the server. */
void http_link_tell(struct http_server *server, enum http_end why, const struct http_address *peer);

/* The certificates may have been replaced since the handshake, and the client's may have expired:
 * may it still come in? */
bool http_link_is_admitted(struct http_server *server, struct http_link *link,
                           struct MHD_Connection *connection);

/* An exchange: this thread's spare one, or a new one; NULL without memory. What it held is cleared
 * when it is given back. */
struct http_exchange *http_link_take_exchange(struct http_server *server);
void http_link_give_exchange(struct http_server *server, struct http_exchange *ex);
/* Give back the one that the link is in, if any. */
void http_link_drop_exchange(struct http_server *server, struct http_link *link);

#endif
