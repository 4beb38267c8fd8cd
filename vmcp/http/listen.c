/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/auto.h"
#include "server.h"

VMCP_DEFINE_AUTO(addrinfo_auto, struct addrinfo *, freeaddrinfo)
#define auto_addrinfo VMCP_AUTO(addrinfo_auto)

enum { BACKLOG = 1024 };

/* getaddrinfo() would take nothing for any port, and 99999 for 34463. */
static bool port_is_good(const char *port)
{
    return *port && strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 &&
           strtoul(port, NULL, 10) <= 65535;
}

/* "127.0.0.1:80", "[::1]:80", "localhost:80" */
static int split(const char *addr_port, char *host, size_t size, const char **ret_port,
                 struct vmcp_error *err)
{
    const char *colon = strrchr(addr_port, ':');
    const char *from = addr_port, *to = colon;
    if (colon && addr_port[0] == '[' && colon > addr_port + 1 && colon[-1] == ']') {
        from++;
        to--;
    }
    bool bare_ipv6 = from == addr_port && colon && memchr(from, ':', (size_t)(to - from));
    if (!colon || to == from || bare_ipv6 || !port_is_good(colon + 1) ||
        (size_t)(to - from) >= size)
        return vmcp_fail_at(err, VMCP_E_USAGE, addr_port,
                            "not an address to listen on; ADDR:PORT is wanted, like "
                            "127.0.0.1:8080 or [::1]:8080");
    snprintf(host, size, "%.*s", (int)(to - from), from);
    *ret_port = colon + 1;
    return 0;
}

static int open_socket(const struct addrinfo *a)
{
    auto_close int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (a->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -1;
    int taken = fd;
    fd = -1;
    return taken;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage s = {0};
    socklen_t len = sizeof(s);
    if (getsockname(fd, (struct sockaddr *)&s, &len) < 0)
        return 0;
    return ntohs(s.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&s)->sin6_port
                                         : ((struct sockaddr_in *)&s)->sin_port);
}

int http_listen(const char *addr_port, int *ret_fd, uint16_t *ret_port, struct vmcp_error *err)
{
    char host[256];
    const char *port = NULL;
    int rc = split(addr_port, host, sizeof(host), &port, err);
    if (rc < 0)
        return rc;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    auto_addrinfo struct addrinfo *list = NULL;
    int gai = getaddrinfo(host, port, &hints, &list);
    if (gai != 0)
        return vmcp_fail_at(err, VMCP_E_USAGE, addr_port, "not an address to listen on: %s",
                            gai_strerror(gai));
    int fd = open_socket(list);
    if (fd < 0)
        return vmcp_fail_at(err, VMCP_E_NETWORK, addr_port, "cannot listen here: %s",
                            strerror(errno));
    *ret_fd = fd;
    if (ret_port)
        *ret_port = port_of(fd);
    return 0;
}
