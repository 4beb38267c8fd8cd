/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - vmcpd's HTTP interface: the routes and what they answer. */
#ifndef SRV_SERVICE_H
#define SRV_SERVICE_H

#include <pthread.h>

#include "endings.h"
#include "http/server.h"
#include "lib/error.h"
#include "log.h"
#include "metrics.h"
#include "sandbox.h"
#include "settings.h"
#include "snapshot.h"

/* How the reloads of this process went. */
struct srv_reloads {
    unsigned done, failed;
    enum vmcp_code last; /* of the last one; 0: good, or there was none */
    int64_t last_at;     /* seconds since 1970; 0: there was none */
};

/* What the handlers know. */
struct srv_service {
    const struct srv_settings *settings; /* borrowed */
    pthread_mutex_t lock;                /* of what follows */
    struct srv_snapshot *snapshot;       /* what is served; replaced whole */
    struct srv_reloads reloads;
    struct srv_sandbox sandbox; /* set before it is served */
    struct srv_log log;         /* off until srv_log_open() */
    struct srv_metrics metrics;
    struct srv_endings endings;
};

/* Serve `snapshot` (the reference is taken over). */
void srv_service_init(struct srv_service *service, const struct srv_settings *settings,
                      struct srv_snapshot *snapshot);
void srv_service_clear(struct srv_service *service);

/* What is served now: a new reference. */
struct srv_snapshot *srv_service_hold(struct srv_service *service);

/* Serve another one from now on (the reference is taken over); the old one lives until the last
 * answer from it is made. */
void srv_service_replace(struct srv_service *service, struct srv_snapshot *snapshot);

/* A reload failed: what was served stays, and /readyz says so. */
void srv_service_reload_failed(struct srv_service *service, enum vmcp_code code);

/* Answer the question of a request's query. `name` is the machine or job that its path names,
 * `accept` the list of its Accept header; each may be NULL. */
void srv_service_answer(struct srv_service *service, enum vmcp_kind kind,
                        const struct http_request *req, const char *name, const char *accept,
                        struct http_reply *reply);

/* How the reloads went so far. */
struct srv_reloads srv_service_reloads(struct srv_service *service);

/* The options for http_server_start(). */
struct http_server_options srv_service_options(struct srv_service *service);

#endif
