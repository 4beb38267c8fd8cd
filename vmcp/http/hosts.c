/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include <string.h>
#include <strings.h>

#include "address.h"

static const char in_name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

int http_hosts_add(struct http_hosts *hosts, const char *name, struct vmcp_error *err)
{
    size_t len = strlen(name);
    if (strcmp(name, "*") != 0 &&
        (len == 0 || len > VMCP_DOMAIN_MAX || strspn(name, in_name) != len))
        return vmcp_fail_at(err, VMCP_E_USAGE, name,
                            "not a host name; one is like cfg.example.org, without a port, or * "
                            "for any");
    if (hosts->count == HTTP_HOSTS_MAX)
        return vmcp_fail_at(err, VMCP_E_USAGE, name, "at most %d names", HTTP_HOSTS_MAX);
    hosts->names[hosts->count++] = name;
    return 0;
}

static bool is_name(const char *host, size_t len, const char *name)
{
    size_t n = strlen(name);
    n -= n > 0 && name[n - 1] == '.';
    return n == len && strncasecmp(host, name, len) == 0;
}

/* RFC 6761, section 6.3: names below it too lead to loopback. */
static bool is_localhost(const char *host, size_t len)
{
    static const char localhost[] = "localhost";
    size_t n = sizeof(localhost) - 1;
    return len >= n && strncasecmp(host + len - n, localhost, n) == 0 &&
           (len == n || host[len - n - 1] == '.');
}

bool http_hosts_have(const struct http_hosts *hosts, const char *host)
{
    struct http_address address;
    if (!host || http_address_parse(host, strlen(host), &address))
        return true; /* before HTTP/1.1 there was none; no browser is that old */
    const char *colon = strrchr(host, ':');
    size_t len = colon ? (size_t)(colon - host) : strlen(host);
    len -= len > 0 && host[len - 1] == '.';
    if (is_localhost(host, len) || (!memchr(host, '.', len) && strspn(host, in_name) >= len))
        return true;
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->names[i], "*") == 0 || is_name(host, len, hosts->names[i]))
            return true;
    return false;
}
