/* SPDX-License-Identifier: Apache-2.0 */
/* exporter.h - GET /metrics, at an address of its own.
 *
 * A server beside the one that answers questions: who may ask for machines need not be who may see
 * how the responder is, and a flood of the one does not reach the other. No other path is served.
 */
#ifndef SRV_EXPORTER_H
#define SRV_EXPORTER_H

#include "http/hosts.h"
#include "http/listen.h"
#include "http/server.h"
#include "lib/error.h"
#include "service.h"

struct srv_exporter {
    struct http_listener listener; /* until the server has it */
    struct http_server *server;
    struct http_hosts hosts;
    struct srv_service *service;  /* borrowed: whose numbers */
    struct http_server *observed; /* borrowed: whose connections */
};

#define SRV_EXPORTER_OFF                \
    {                                   \
        .listener = HTTP_LISTENER_NONE, \
    }

/* Open `place` ("ADDR:PORT" or "unix:PATH"; NULL: there is no exporter), and print a line that says
 * so. Errors: those of http_listener_open(). */
VMCP_MUST_CHECK int srv_exporter_open(struct srv_exporter *exporter, const char *place,
                                      struct vmcp_error *err);
/* Serve there. */
VMCP_MUST_CHECK int srv_exporter_start(struct srv_exporter *exporter, struct srv_service *service,
                                       struct http_server *observed, struct vmcp_error *err);
/* Before the server that it observes is stopped. */
void srv_exporter_stop(struct srv_exporter *exporter);

#endif
