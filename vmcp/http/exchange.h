/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - a connection, and the request that it is in.
 *
 * An exchange lives as long as its request. Each thread keeps one that it does not need for the
 * next request: a thousand idle connections cost no memory for it, and a request whose target is of
 * usual length no allocation. libmicrohttpd calls these, always on the connection's own thread.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <microhttpd.h>

#include "link.h"
#include "server_internal.h"
#include "waiting.h"

enum { HTTP_EXCHANGE_ROOM = 768 }; /* three targets, of up to 255 bytes */

struct http_exchange {
    struct http_server *server;
    struct http_link *link;
    struct http_request req;
    struct http_reply reply;
    char *text;     /* `room`, or malloc()ed for a longer target; the next three point into it */
    char *target;   /* decoded in place; req points into it */
    char *segments; /* what the route's {…} matched */
    size_t target_len;
    const char *uri; /* libmicrohttpd's own target: to compare with, not to read */
    struct vmcp_buf body;
    const char *fault; /* of the head, or NULL */
    bool seen;         /* the handler was called before: headers only */
    bool is_over_header_max;
    bool dispatched; /* `handler` is set, or the glue answered */
    bool answered;
    http_handler handler;
    int64_t started_us;
    struct http_waiter waiter;
    char memo[HTTP_MEMO_MAX]; /* the handler's own, see server.h */
    char room[HTTP_EXCHANGE_ROOM];
};

/* MHD_OPTION_URI_LOG_CALLBACK, MHD_OPTION_NOTIFY_COMPLETED and the access handler; `cls` is the
 * server. */
void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
void http_exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                       enum MHD_RequestTerminationCode how);
enum MHD_Result http_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version,
                                     const char *upload_data, size_t *upload_data_size,
                                     void **con_cls);

#endif
