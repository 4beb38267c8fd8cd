/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "message.h"

static int parse_mode(const char *text, mode_t *ret, struct vmcp_error *err)
{
    size_t len = text ? strlen(text) : 0;
    *ret = 0660;
    if (!text)
        return 0;
    if (len < 3 || len > 4 || strspn(text, "01234567") != len || strtoul(text, NULL, 8) > 0777)
        return vmcp_fail(err, VMCP_E_USAGE, "--listen-mode %s: an octal mode is wanted, like 0660",
                         text);
    *ret = (mode_t)strtoul(text, NULL, 8);
    return 0;
}

static int parse_trusted(const struct srv_transport_settings *s, struct http_trusted *ret,
                         struct vmcp_error *err)
{
    int rc = 0;
    if (s->trusted_proxies.count > HTTP_TRUSTED_MAX)
        return vmcp_fail(err, VMCP_E_USAGE, "at most %d --trusted-proxy", HTTP_TRUSTED_MAX);
    for (ret->count = 0; rc == 0 && ret->count < s->trusted_proxies.count; ret->count++)
        if (http_cidr_parse(s->trusted_proxies.items[ret->count], &ret->items[ret->count], err) < 0)
            rc = vmcp_error_option(err, "trusted-proxy", s->trusted_proxies.items[ret->count]);
    return rc;
}

bool srv_transport_same_place(const char *a, const char *b)
{
    const char *port = strrchr(a, ':');
    return strcmp(a, b) == 0 && !(port && strcmp(port, ":0") == 0);
}

static int check_places(const struct vmcp_list *listen, struct vmcp_error *err)
{
    for (size_t i = 0; i < listen->count; i++)
        for (size_t j = 0; j < i; j++)
            if (srv_transport_same_place(listen->items[i], listen->items[j]))
                return vmcp_fail(err, VMCP_E_USAGE, "--listen %s: is given twice",
                                 listen->items[i]);
    return 0;
}

int srv_transport_hosts(const struct srv_transport_settings *s, struct http_hosts *ret,
                        struct vmcp_error *err)
{
    *ret = (struct http_hosts){.everywhere = s->hosts.count > 0};
    int rc = http_hosts_add(ret, s->domain, err); /* most often the endpoint's own name */
    for (size_t i = 0; rc == 0 && i < s->hosts.count; i++)
        if (http_hosts_add(ret, s->hosts.items[i], err) < 0)
            rc = vmcp_error_option(err, "host", s->hosts.items[i]);
    return rc;
}

int srv_transport_check(const struct srv_transport_settings *s, struct vmcp_error *err)
{
    struct http_trusted trusted;
    struct http_hosts hosts;
    mode_t mode;
    if (!s->tls_cert != !s->tls_key)
        return vmcp_fail(err, VMCP_E_USAGE, "--tls-cert and --tls-key go together");
    if (s->client_ca && !s->tls_cert)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--client-ca needs --tls-cert and --tls-key: without TLS nobody shows a "
                         "certificate");
    int rc = parse_mode(s->listen_mode, &mode, err);
    if (rc == 0)
        rc = check_places(&s->listen, err);
    if (rc == 0)
        rc = parse_trusted(s, &trusted, err);
    return rc < 0 ? rc : srv_transport_hosts(s, &hosts, err);
}

/* Is an error's place, which may be cut at the front, this file? */
static bool is_place(const struct vmcp_error *err, const char *path)
{
    size_t len = path ? strlen(path) : 0, seen = strlen(err->where);
    return seen && len >= seen && strcmp(path + len - seen, err->where) == 0;
}

/* Say which of the three files an error is of, where they are three. */
static int name_tls_option(const struct srv_transport_settings *s, struct vmcp_error *err)
{
    bool cert = is_place(err, s->tls_cert), key = is_place(err, s->tls_key);
    bool ca = is_place(err, s->client_ca);
    if (cert + key + ca != 1)
        return -(int)err->code;
    return vmcp_error_option(err, cert ? "tls-cert" : key ? "tls-key" : "client-ca", NULL);
}

int srv_transport_load_tls(const struct srv_transport_settings *s, struct http_tls **ret,
                           struct vmcp_error *err)
{
    struct http_tls_files files = {
        .cert = s->tls_cert, .key = s->tls_key, .client_ca = s->client_ca};
    *ret = NULL;
    int rc = s->tls_cert ? http_tls_load(&files, ret, err) : 0;
    return rc < 0 ? name_tls_option(s, err) : 0;
}

void srv_transport_warn_of_plain(const struct srv_transport_settings *s,
                                 const struct http_address *address, const char *place)
{
    if (s->tls_cert || s->allow_http || !address->known || http_address_is_loopback(address))
        return;
    srv_message(SRV_WARNING,
                "vmcpd: warning: %s is plain HTTP: who is on the way reads machines with their "
                "secrets; give --tls-cert and --tls-key, or --allow-http where a proxy has TLS",
                place);
}

static void warn_of_listener(const struct srv_transport_settings *s,
                             const struct http_listener *listener)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof(own);
    struct http_address address;
    if (getsockname(listener->fd, (struct sockaddr *)&own, &len) < 0)
        return;
    http_address_of((const struct sockaddr *)&own, &address);
    srv_transport_warn_of_plain(s, &address, listener->text);
}

int srv_transport_open(const struct srv_transport_settings *s, struct srv_transport *t,
                       struct vmcp_error *err)
{
    mode_t mode;
    int rc = parse_mode(s->listen_mode, &mode, err);
    if (rc == 0)
        rc = http_listeners_activated(t->listeners, &t->count, err);
    for (size_t i = 0; rc == 0 && i < s->listen.count; i++) {
        if (t->count == HTTP_LISTENERS_MAX)
            return vmcp_fail(err, VMCP_E_USAGE, "at most %d places to listen at",
                             HTTP_LISTENERS_MAX);
        rc = http_listener_open(s->listen.items[i], mode, &t->listeners[t->count], err);
        if (rc < 0)
            return vmcp_error_option(err, "listen", s->listen.items[i]);
        t->count++;
    }
    for (size_t i = 0; rc == 0 && i < t->count; i++)
        warn_of_listener(s, &t->listeners[i]);
    if (rc == 0 && t->count == 0)
        rc = vmcp_fail(err, VMCP_E_USAGE,
                       "--listen ADDR:PORT is wanted, or a socket from systemd; see vmcpd --help");
    return rc;
}

static int limit(int64_t value)
{
    return value ? (int)value : HTTP_NO_LIMIT;
}

int srv_transport_start(const struct srv_transport_settings *s, struct srv_transport *t,
                        struct http_server_options o, struct http_tls *tls, struct vmcp_error *err)
{
    char places[HTTP_LISTENERS_MAX][sizeof(t->listeners[0].text)];
    int rc = parse_trusted(s, &t->trusted, err);
    if (rc == 0)
        rc = srv_transport_hosts(s, &t->hosts, err);
    if (rc < 0)
        return rc;
    o.connections_max = limit(s->connections);
    o.connections_each = limit(s->connections_each);
    o.header_timeout = limit(s->header_timeout);
    o.idle_timeout = limit(s->idle_timeout);
    o.rate = limit(s->rate);
    o.rate_burst = (int)s->rate_burst;
    o.connection_rate = limit(s->connection_rate);
    o.trusted = &t->trusted;
    o.hosts = &t->hosts;
    o.tls = tls;
    rc = http_server_start(&o, -1, &t->server, err);
    size_t i;
    for (i = 0; rc == 0 && i < t->count; i++) {
        memcpy(places[i], t->listeners[i].text, sizeof(places[i]));
        rc = http_server_listen(t->server, &t->listeners[i], err);
    }
    for (i = 0; rc == 0 && i < t->count; i++) {
        bool is_unix = strncmp(places[i], "unix:", 5) == 0;
        printf("vmcpd: ready on %s%s%s\n",
               is_unix ? ""
               : tls   ? "https://"
                       : "http://",
               places[i], is_unix ? "" : "/vmcp");
    }
    return rc;
}

void srv_transport_stop(const struct srv_transport_settings *s, struct srv_transport *t,
                        bool (*is_urgent)(void *arg), void *arg)
{
    if (t->server) {
        struct http_drained d =
            http_server_drain(t->server, (int)(1000 * s->grace), is_urgent, arg);
        srv_message(d.cut ? SRV_WARNING : SRV_INFO,
                    "vmcpd: stopped: %u request%s finished, %u cut%s", d.finished,
                    d.finished == 1 ? "" : "s", d.cut,
                    d.cut ? " that did not come to an end within the grace" : "");
    }
    http_server_stop(t->server, 0);
    t->server = NULL;
    for (size_t i = 0; i < t->count; i++)
        http_listener_close(&t->listeners[i]);
    t->count = 0;
}
