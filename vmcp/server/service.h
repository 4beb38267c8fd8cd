/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - vmcpd's HTTP interface: the routes and what they answer. */
#ifndef SRV_SERVICE_H
#define SRV_SERVICE_H

#include "catalogue.h"
#include "http/server.h"
#include "lib/error.h"
#include "signer.h"

/* What the handlers know. Everything in it is read-only while the server runs. */
struct srv_service {
    struct srv_signer *signer;             /* borrowed */
    const struct srv_catalogue *catalogue; /* borrowed */
    char *jwks;                            /* the key set as sent; owned */
    char jwks_etag[72];                    /* quoted, RFC 9110 section 8.8.3 */
    bool access_log;                       /* a line on standard error for each request */
};

VMCP_MUST_CHECK int srv_service_init(struct srv_service *service, struct srv_signer *signer,
                                     const struct srv_catalogue *catalogue, struct vmcp_error *err);
void srv_service_clear(struct srv_service *service);

/* The options for http_server_start(). */
struct http_server_options srv_service_options(struct srv_service *service);

#endif
