/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - where vmcpd listens, with which certificate, and how much it lets in. */
#ifndef SRV_TRANSPORT_H
#define SRV_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "http/forwarded.h"
#include "http/hosts.h"
#include "http/listen.h"
#include "http/server.h"
#include "http/tls.h"
#include "lib/error.h"
#include "lib/options.h"

/* The command line's part. All strings are borrowed from argv. */
struct srv_transport_settings {
    struct vmcp_list listen, trusted_proxies, hosts;
    const char *domain; /* a name of the server's too */
    const char *listen_mode, *tls_cert, *tls_key, *client_ca;
    bool allow_http; /* beyond loopback, without a warning */
    /* seconds and counts; 0: no limit */
    int64_t connections, connections_each, header_timeout, idle_timeout, rate, rate_burst, grace,
        connection_rate;
};

#define SRV_TRANSPORT_DEFAULTS                                                          \
    {                                                                                   \
        .connections = HTTP_CONNECTIONS_MAX, .connections_each = HTTP_CONNECTIONS_EACH, \
        .header_timeout = HTTP_HEADER_TIMEOUT, .idle_timeout = HTTP_IDLE_TIMEOUT,       \
        .rate = HTTP_RATE, .rate_burst = HTTP_RATE_BURST, .grace = SRV_GRACE,           \
        .connection_rate = HTTP_CONNECTION_RATE,                                        \
    }

enum { SRV_GRACE = 10 }; /* seconds */

struct srv_transport {
    struct http_trusted trusted;
    struct http_hosts hosts;
    struct http_listener listeners[HTTP_LISTENERS_MAX]; /* until the server has them */
    size_t count;
    struct http_server *server;
};

/* What can be told of the settings alone. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int srv_transport_check(const struct srv_transport_settings *settings,
                                        struct vmcp_error *err);

/* The names that are answered for: the domain, and those of --host. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int srv_transport_hosts(const struct srv_transport_settings *settings,
                                        struct http_hosts *ret, struct vmcp_error *err);

/* Would two places be one? Not where the kernel is to choose a free port. */
bool srv_transport_same_place(const char *a, const char *b);

/* Machines hold secrets, and whoever is on the way reads them: warn of a place beyond loopback
 * without TLS, unless --allow-http says that it is meant. */
void srv_transport_warn_of_plain(const struct srv_transport_settings *settings,
                                 const struct http_address *address, const char *place);

/* The certificate that the settings name. *ret is new, http_tls_unref(); NULL where they name none.
 * Errors: those of http_tls_load(). */
VMCP_MUST_CHECK int srv_transport_load_tls(const struct srv_transport_settings *settings,
                                           struct http_tls **ret, struct vmcp_error *err);

/* Open all places: the sockets of systemd, then those of --listen. One of plain HTTP beyond
 * loopback is warned about, unless the settings allow it. Errors: VMCP_E_USAGE where there are
 * none; those of http_listener_open(). */
VMCP_MUST_CHECK int srv_transport_open(const struct srv_transport_settings *settings,
                                       struct srv_transport *transport, struct vmcp_error *err);

/* Serve at the places that were opened. `options` has the routes; the limits, the proxies and `tls`
 * (borrowed) are added. Prints a line for each place. */
VMCP_MUST_CHECK int srv_transport_start(const struct srv_transport_settings *settings,
                                        struct srv_transport *transport,
                                        struct http_server_options options, struct http_tls *tls,
                                        struct vmcp_error *err);

/* Stop within the settings' grace, or sooner where `is_urgent(arg)` says so (NULL: never), and
 * close what is still open. Tells what became of the requests that were there. */
void srv_transport_stop(const struct srv_transport_settings *settings,
                        struct srv_transport *transport, bool (*is_urgent)(void *arg), void *arg);

#endif
