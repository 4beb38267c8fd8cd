/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "control.h"
#include "http/listen.h"
#include "lib/auto.h"
#include "log.h"
#include "message.h"
#include "sandbox.h"

static int try_place(const char *option, const char *value, const char *place,
                     struct http_address *ret_address, struct vmcp_error *err)
{
    struct vmcp_error doubt = {0};
    if (http_listener_try(place, ret_address, &doubt, err) < 0)
        return vmcp_error_option(err, option, value);
    if (doubt.code)
        srv_message(SRV_WARNING, "vmcpd: warning: --%s %s: %s", option, value, doubt.text);
    return 0;
}

static int try_control(const char *path, struct vmcp_error *err)
{
    auto_free char *place = NULL;
    if (asprintf(&place, "unix:%s", path) < 0) {
        place = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    return try_place("control", path, place, &(struct http_address){0}, err);
}

static int try_listen(const struct srv_transport_settings *s, const char *place,
                      struct vmcp_error *err)
{
    struct http_address address;
    int rc = try_place("listen", place, place, &address, err);
    if (rc == 0)
        srv_transport_warn_of_plain(s, &address, place);
    return rc;
}

int srv_check(const struct srv_settings *s, const struct srv_snapshot *snapshot,
              struct vmcp_error *err)
{
    const struct vmcp_list *listen = &s->transport.listen;
    auto_free char *control = NULL;
    int rc = srv_log_try(s->access_log, err);
    if (rc == 0)
        rc = srv_control_path(s->control, &control, err);
    if (rc == 0 && control)
        rc = try_control(control, err);
    for (size_t i = 0; rc == 0 && i < listen->count; i++)
        rc = try_listen(&s->transport, listen->items[i], err);
    if (rc == 0 && s->metrics)
        rc = try_place("metrics", s->metrics, s->metrics, &(struct http_address){0}, err);
    if (rc == 0)
        rc = srv_sandbox_check(s, &snapshot->ring, control, err);
    if (rc < 0)
        return rc;
    if (listen->count == 0)
        printf("vmcpd: no --listen: it starts only with a socket from systemd\n");
    printf("vmcpd: all good: an answer of each machine was made and verified\n");
    return 0;
}
