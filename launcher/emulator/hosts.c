/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* HOST[:PORT] in lower case with its port written out. False if it cannot be one. */
static bool normalise(const char *host, size_t len, char ret[static EMU_HOST_LEN])
{
    if (len == 0 || len > EMU_HOST_LEN - sizeof(":80"))
        return false;
    for (size_t i = 0; i < len; i++)
        ret[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
    ret[len] = '\0';
    const char *bracket = strrchr(ret, ']'); /* the colons before it are an IPv6 address's */
    if (!strchr(bracket ? bracket : ret, ':'))
        snprintf(ret + len, EMU_HOST_LEN - len, ":80");
    return true;
}

void emu_hosts_add(struct emu_hosts *hosts, const char *text)
{
    if (strncmp(text, "http://", 7) == 0)
        text += 7;
    if (hosts->count < EMU_HOSTS_MAX &&
        normalise(text, strcspn(text, "/"), hosts->names[hosts->count]))
        hosts->count++;
}

void emu_hosts_add_listener(struct emu_hosts *hosts, const char *addr_port, uint16_t port)
{
    const char *colon = strrchr(addr_port, ':');
    int len = colon ? (int)(colon - addr_port) : (int)strlen(addr_port);
    char name[EMU_HOST_LEN];
    snprintf(name, sizeof(name), "%.*s:%u", len, addr_port, port);
    emu_hosts_add(hosts, name);
    snprintf(name, sizeof(name), "127.0.0.1:%u", port);
    emu_hosts_add(hosts, name);
    snprintf(name, sizeof(name), "localhost:%u", port);
    emu_hosts_add(hosts, name);
}

static bool have(const struct emu_hosts *hosts, const char *host, size_t len)
{
    char name[EMU_HOST_LEN];
    if (!normalise(host, len, name))
        return false;
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->names[i], name) == 0)
            return true;
    return false;
}

bool emu_hosts_have(const struct emu_hosts *hosts, const char *host)
{
    return host && have(hosts, host, strlen(host));
}

bool emu_hosts_have_url(const struct emu_hosts *hosts, const char *url, const char *path)
{
    if (strncmp(url, "http://", 7) != 0)
        return false;
    size_t len = strcspn(url + 7, "/");
    return strcmp(url + 7 + len, path) == 0 && have(hosts, url + 7, len);
}

static enum MHD_Result count_host(void *arg, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    (void)kind;
    (void)value;
    *(unsigned *)arg += strcasecmp(key, "Host") == 0;
    return MHD_YES;
}

bool emu_hosts_twice(const struct http_request *req)
{
    unsigned count = 0;
    MHD_get_connection_values(req->connection, MHD_HEADER_KIND, count_host, &count);
    return count > 1;
}

/* True if `name`, which may be in brackets, is an address and no name. */
static bool is_address(const char *name)
{
    char bare[EMU_HOST_LEN];
    unsigned char address[sizeof(struct in6_addr)];
    size_t len = strlen(name);
    if (name[0] != '[' || name[len - 1] != ']')
        return inet_pton(AF_INET, name, address) == 1;
    snprintf(bare, sizeof(bare), "%.*s", (int)len - 2, name + 1);
    return inet_pton(AF_INET6, bare, address) == 1;
}

bool emu_hosts_metadata(const char *own, const char *host)
{
    static const char *const names[] = {"metadata.google.internal",
                                        "metadata.google.internal.",
                                        "metadata",
                                        "169.254.169.254",
                                        "localhost",
                                        "127.0.0.1",
                                        "[::1]"};
    const char *bracket = strrchr(host, ']'); /* the colons before it are an IPv6 address's */
    const char *colon = strchr(bracket ? bracket : host, ':');
    size_t len = colon ? (size_t)(colon - host) : strlen(host);
    char name[EMU_HOST_LEN];
    if (len == 0 || len >= sizeof(name) || (colon && colon[1 + strspn(colon + 1, "0123456789")]))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)len, host);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    bool all = strcmp(own, "0.0.0.0") == 0 || strcmp(own, "[::]") == 0;
    return strcasecmp(name, own) == 0 || (all && is_address(name));
}

const char *emu_hosts_refuse(const struct emu_hosts *hosts, const struct http_request *req)
{
    if (http_request_header(req, "Origin"))
        return "Requests with an Origin header, which browsers send, are not answered.";
    if (!emu_hosts_have(hosts, http_request_host(req)))
        return "The Host header is not an address of this emulator.";
    return NULL;
}
