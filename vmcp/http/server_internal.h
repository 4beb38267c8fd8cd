/* SPDX-License-Identifier: Apache-2.0 */
/* server_internal.h - what the files of the HTTP glue share with each other. */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "acceptor.h"
#include "connections.h"
#include "rates.h"
#include "server.h"
#include "tls.h"
#include "waiting.h"

struct http_server {
    struct http_server_options options; /* with the defaults filled in */
    struct MHD_Daemon *daemon;
    struct http_acceptor acceptor;
    struct http_connections connections;
    struct http_waiting waiting;
    struct http_rates *rates;   /* of requests; NULL: no limit */
    struct http_rates *accepts; /* of connections; NULL: no limit */
    struct http_tls_slot tls;   /* empty: plain HTTP */
    pthread_key_t spare;        /* an exchange that the thread does not need now */
    atomic_bool stopping;
    atomic_uint finished; /* requests whose answers have gone out since then */
};

#endif
