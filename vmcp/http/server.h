/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the libmicrohttpd glue that both servers use.
 *
 * A server is a table of routes and a value for its handlers. A request arrives whole: path and
 * query percent-decoded once, strictly (a NUL or control byte, a broken escape: 400), the body
 * within its limit, and a handler fills a reply and returns. Handlers run on several threads.
 *
 *     static void healthz(void *app, const struct http_request *req, struct http_reply *reply)
 *     {
 *         http_reply_text(reply, 200, "text/plain", "ok\n");
 *     }
 *     static const struct http_route routes[] = {
 *         {"GET", "/healthz", healthz},
 *         {"GET", "/vmcp/{name}", machine},        req->segments[0] is the name
 *         {"GET", "/computeMetadata/v1/{*}", tree},  the rest of the path, slashes and all
 *         {0},
 *     };
 *
 * A handler that has nothing to say yet sets reply->wait_until and returns; it is called again
 * with the same request after http_server_wake(), or when that time has come (req->timed_out).
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "address.h"
#include "ends.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/limits.h"
#include "listen.h"

struct http_hosts;   /* hosts.h */
struct http_tls;     /* tls.h */
struct http_trusted; /* forwarded.h */

struct http_param {
    const char *key, *value; /* decoded; NUL-terminated and without a NUL inside */
    size_t key_len, value_len;
};

struct http_request {
    const char *method;
    const char *path;   /* decoded, with a leading slash, without the query */
    const char *target; /* as sent: path and query, still encoded */
    const char *host;   /* of a target in absolute form, or NULL: see http_request_host() */
    size_t param_count;
    const struct http_route *route; /* whose handler answers; NULL: none, the glue or the guard */
    const char *body;               /* NULL if there was none */
    size_t body_len;
    struct sockaddr_storage peer; /* as accepted, or as given to http_server_add_connection() */
    struct http_address client;   /* whom limits count: the peer, or whom its proxy speaks for */
    bool timed_out;               /* called again because reply->wait_until has come */
    char *memo; /* HTTP_MEMO_MAX bytes, zero at first: what a handler that waits wants to remember
                   for the next call */
    void *connection; /* struct MHD_Connection, for http_request_header() */
    /* The arrays are last: params is not cleared for each request. */
    const char *segments[HTTP_SEGMENTS_MAX];   /* what the route's {…} matched, in order */
    struct http_param params[HTTP_PARAMS_MAX]; /* in the order of the query */
};

struct http_reply {
    int status;               /* 0: the handler said nothing, which becomes 500 */
    const char *content_type; /* borrowed; must outlive the reply (a literal) */
    char *body;               /* owned, malloc(); NULL with body_len 0: empty */
    size_t body_len;
    struct {
        char *name, *value; /* owned */
    } headers[HTTP_REPLY_HEADERS_MAX];
    size_t header_count;
    int64_t wait_until;       /* http_now_ms() clock; 0: the reply is complete */
    bool drop;                /* close the connection instead of answering */
    enum vmcp_code code;      /* for the access log; set by http_reply_problem() */
    char note[HTTP_NOTE_MAX]; /* for the log hook: what a handler wants remembered, zeros at first;
                                 no secrets */
};

typedef void (*http_handler)(void *app, const struct http_request *req, struct http_reply *reply);

/* A HEAD request is answered by the GET route; its body is dropped. A path that matches with
 * another method is 405 with Allow, one that does not match is 404. First match wins. */
struct http_route {
    const char *method;
    const char *pattern;
    http_handler handler;
};

struct http_server;

struct http_server_options {
    const struct http_route *routes; /* ends in a row of zeros; borrowed */
    void *app;                       /* handed to every handler; borrowed */
    /* Patterns that are asked by who looks after the server, whatever it is called and however
     * often: neither rates nor names of hosts count. Ends in NULL; borrowed. NULL: none. */
    const char *const *probes;
    /* Called before routing; returns true when it filled the reply itself (a refusal). NULL: none
     */
    bool (*guard)(void *app, const struct http_request *req, struct http_reply *reply);
    /* Called on every reply before it is sent, to add headers. NULL: none. */
    void (*decorate)(void *app, const struct http_request *req, struct http_reply *reply);
    /* How errors of the glue itself look (404, 405, 400, 413). NULL: problem+json. */
    void (*problem)(void *app, const struct http_request *req, struct http_reply *reply, int status,
                    enum vmcp_code code, const char *detail);
    /* One line for each request, after it was answered. NULL: none. Never gets the query. */
    void (*log)(void *app, const struct http_request *req, const struct http_reply *reply,
                int64_t micros);
    /* A connection was ended by the server. NULL: nobody is told, here and below. */
    void (*ended)(void *app, enum http_end why, const struct http_address *peer);
    /* libmicrohttpd refused, with that status, what it could not read as a request. */
    void (*unread)(void *app, int status);
    size_t body_max;  /* bytes of a request's body; 0: bodies are refused */
    unsigned threads; /* 0: one for each processor, at most 8 */

    /* Limits. 0: the default of limits.h; HTTP_NO_LIMIT: none. */
    int connections_max;  /* in all; fewer where the process may not have so many descriptors */
    int connections_each; /* of one address; trusted proxies and Unix sockets are not counted */
    int header_timeout;   /* seconds from accept, or the last answer, to the end of the headers */
    int idle_timeout;     /* seconds without a byte */
    int rate, rate_burst; /* requests a second of one address (IPv6: of one /64), and at once */
    int connection_rate;  /* connections a second of one address, and 20 times as many at once */
    /* Whose X-Forwarded-For and Forwarded are believed; borrowed. NULL: nobody's. */
    const struct http_trusted *trusted;
    /* For which names it answers; a request for another is 421. Borrowed. NULL: for any. */
    const struct http_hosts *hosts;

    /* All places speak TLS with it; the server takes a reference of its own. NULL: plain HTTP. */
    struct http_tls *tls;
};

enum { HTTP_NO_LIMIT = -1 };

/* Start serving on `listen_fd` (see http_listen; taken over on success; -1: places are added with
 * http_server_listen(), or connections with http_server_add_connection()). Raises the soft limit of
 * descriptors to the hard one. */
VMCP_MUST_CHECK int http_server_start(const struct http_server_options *options, int listen_fd,
                                      struct http_server **ret, struct vmcp_error *err);

/* Listen at one more place (see listen.h; taken over on success). Up to HTTP_LISTENERS_MAX. Errors:
 * VMCP_E_LIMIT, VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int http_server_listen(struct http_server *server, struct http_listener *listener,
                                       struct vmcp_error *err);

/* New connections shake hands with this from now on; the server takes a reference of its own. It
 * was started with TLS. A connection whose client this would not let in ends at its next request.
 */
void http_server_set_tls(struct http_server *server, struct http_tls *tls);

/* Take over an accepted socket from elsewhere; `peer` is what handlers see as req->peer. One `peer`
 * has HTTP_CONNECTIONS_VM of them at most. */
VMCP_MUST_CHECK int http_server_add_connection(struct http_server *server, int fd,
                                               const struct sockaddr *peer, socklen_t peer_len,
                                               struct vmcp_error *err);

/* Call every waiting handler again. From any thread. */
void http_server_wake(struct http_server *server);

/* How many connections are open. */
unsigned http_server_connections(struct http_server *server);

/* What became of the requests that were there, or came on open connections, when a stop began. */
struct http_drained {
    unsigned finished, cut;
};

/* Stop accepting, and let what is in flight finish within `grace_ms`. In flight is what the kernel
 * has accepted, a request whose first line has come, and one that is being answered.
 * `is_urgent(arg)` is asked every few milliseconds whether that is to end now; NULL: never. What
 * counts as cut is cut by the http_server_stop() that follows. */
struct http_drained http_server_drain(struct http_server *server, int grace_ms,
                                      bool (*is_urgent)(void *arg), void *arg);

/* Drain, unless that was done; close, free. */
void http_server_stop(struct http_server *server, int grace_ms);

/* A listening socket on "ADDR:PORT" alone, see http_listener_open(). *ret_port is the port in use
 * (NULL: not wanted). */
VMCP_MUST_CHECK int http_listen(const char *addr_port, int *ret_fd, uint16_t *ret_port,
                                struct vmcp_error *err);

/* The first parameter of that name, or NULL. */
const char *http_request_param(const struct http_request *req, const char *key);
/* A request header by name, any case, or NULL: of several, the first. Lives as long as the
 * request. */
const char *http_request_header(const struct http_request *req, const char *name);
/* All lines of a header whose value is a list, joined with commas (RFC 9110, section 5.3). A new
 * string, free(); NULL where there is none. */
char *http_request_header_list(const struct http_request *req, const char *name);
/* Whom the request is for: the host of a target in absolute form, else the Host header (RFC 9112,
 * section 3.2.2); NULL without either. */
const char *http_request_host(const struct http_request *req);

/* Take apart "key=value&key=value" (application/x-www-form-urlencoded) in place: percent-decoded, a
 * plus sign is a space. Errors: VMCP_E_REQUEST_MALFORMED for a broken escape, a NUL or (unless
 * `controls`) a control byte, more than `max` parameters. */
VMCP_MUST_CHECK int http_params_parse(char *text, size_t len, bool controls,
                                      struct http_param *params, size_t max, size_t *ret_count,
                                      struct vmcp_error *err);

/* Split `target` (path and query as sent; changed in place) into the request's path and parameters.
 * Errors: VMCP_E_REQUEST_MALFORMED. For requests that come inside another one. */
VMCP_MUST_CHECK int http_request_split(struct http_request *req, char *target,
                                       struct vmcp_error *err);

/* Find the route of a request. *ret_allow collects, comma-separated, the methods of the routes
 * whose path matches ("" if none does). NULL: there is no route. */
const struct http_route *http_route_find(const struct http_route *routes, struct http_request *req,
                                         char *segments, size_t segments_size, char *ret_allow,
                                         size_t allow_size);

/* Free what a reply holds, and make it zeros. */
void http_reply_clear(struct http_reply *reply);

/* Fill a reply. Bodies are copied, but for _take, which takes over a malloc()ed one. */
void http_reply_text(struct http_reply *reply, int status, const char *content_type,
                     const char *body);
void http_reply_take(struct http_reply *reply, int status, const char *content_type, char *body,
                     size_t len);
/* JSON text of `value` (borrowed) and a newline, application/json. */
void http_reply_json(struct http_reply *reply, int status, const json_t *value);
/* application/problem+json (RFC 9457): type about:blank, title, status, detail, code. */
void http_reply_problem(struct http_reply *reply, int status, enum vmcp_code code,
                        const char *detail);
/* Add a header; both are copied. A value with a control character is dropped. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

#endif
