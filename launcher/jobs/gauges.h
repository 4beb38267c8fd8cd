/* SPDX-License-Identifier: Apache-2.0 */
/* gauges.h - GET /metrics of the service, in Prometheus' text format.
 *
 * The first LAUNCH_GAUGES_JOBS jobs have series of their own; all others are added up in series
 * without the label `job`. No label's value comes from outside but for the names that the service
 * was given.
 */
#ifndef LAUNCH_GAUGES_H
#define LAUNCH_GAUGES_H

#include "http/hosts.h"
#include "http/listen.h"
#include "http/server.h"
#include "lib/error.h"
#include "service.h"

enum { LAUNCH_GAUGES_JOBS = 1000 };

struct launch_gauges {
    struct launch_service *service; /* borrowed */
    struct http_listener listener;  /* until the server has it */
    struct http_server *server;
    struct http_hosts hosts;
};
#define LAUNCH_GAUGES(the_service)                                \
    {                                                             \
        .service = (the_service), .listener = HTTP_LISTENER_NONE, \
    }

/* Serve at `place` ("ADDR:PORT" or "unix:PATH"; NULL: nowhere), and say where. Errors: those of
 * http_listener_open() and http_server_start(). */
VMCP_MUST_CHECK int launch_gauges_start(struct launch_gauges *gauges, const char *place,
                                        struct vmcp_error *err);
void launch_gauges_stop(struct launch_gauges *gauges);

#endif
