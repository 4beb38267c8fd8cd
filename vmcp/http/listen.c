/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"
#include "stale.h"

VMCP_DEFINE_AUTO(addrinfo_auto, struct addrinfo *, freeaddrinfo)
#define auto_addrinfo VMCP_AUTO(addrinfo_auto)

static const char unix_socket[] = "unix:";

enum { BACKLOG = 4096 }; /* the kernel's own maximum cuts it */

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
                            "127.0.0.1:8080 or [::1]:8080, or unix:PATH");
    snprintf(host, size, "%.*s", (int)(to - from), from);
    *ret_port = colon + 1;
    return 0;
}

/* Bound to an address, and not listening yet; -1 with errno. */
static int bind_socket(const struct addrinfo *a)
{
    auto_close int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (a->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, a->ai_addr, a->ai_addrlen) < 0)
        return -1;
    return steal_fd(&fd);
}

/* What helps where bind(2) failed, behind what failed. */
static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; `ss -ltnp` shows who does";
    case EADDRNOTAVAIL:
        return "; `ip address` shows those of this machine";
    case EACCES:
        return "; ports below 1024 take root, CAP_NET_BIND_SERVICE or a socket from systemd";
    default:
        return "";
    }
}

static int cannot_listen(const char *place, int error, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_NETWORK, place, "cannot listen here: %s%s", strerror(error),
                        strncmp(place, unix_socket, strlen(unix_socket)) == 0 ? "" : advice(error));
}

static int resolve(const char *addr_port, struct addrinfo **ret, struct vmcp_error *err)
{
    char host[256];
    const char *port = NULL;
    int rc = split(addr_port, host, sizeof(host), &port, err);
    if (rc < 0)
        return rc;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int gai = getaddrinfo(host, port, &hints, ret);
    return gai == 0 ? 0
                    : vmcp_fail_at(err, VMCP_E_USAGE, addr_port, "not an address to listen on: %s",
                                   gai_strerror(gai));
}

static int open_inet(const char *addr_port, struct http_listener *ret, struct vmcp_error *err)
{
    auto_addrinfo struct addrinfo *list = NULL;
    int rc = resolve(addr_port, &list, err);
    if (rc < 0)
        return rc;
    auto_close int fd = bind_socket(list);
    if (fd < 0 || listen(fd, BACKLOG) < 0)
        return cannot_listen(addr_port, errno, err);
    ret->fd = steal_fd(&fd);
    return 0;
}

/* Of "unix:PATH". */
static int set_path(const char *place, struct sockaddr_un *ret, struct vmcp_error *err)
{
    const char *path = place + strlen(unix_socket);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof(ret->sun_path))
        return vmcp_fail_at(err, VMCP_E_USAGE, place, "unix:PATH has a path of 1 to %zu bytes",
                            sizeof(ret->sun_path) - 1);
    memcpy(ret->sun_path, path, strlen(path));
    return 0;
}

/* The file has its mode from the beginning: chmod(2) by its name could meet another file, where
 * others may write in the folder. -1 with errno. */
static int bind_unix(const struct sockaddr_un *un, mode_t mode)
{
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    mode_t before = umask(0777 & ~mode);
    int rc = bind(fd, (const struct sockaddr *)un, sizeof(*un));
    int error = errno;
    umask(before);
    errno = error;
    return rc < 0 ? -1 : steal_fd(&fd);
}

static int open_unix(const char *place, mode_t mode, struct http_listener *ret,
                     struct vmcp_error *err)
{
    struct sockaddr_un un;
    struct stat st;
    int rc = set_path(place, &un, err);
    if (rc == 0)
        rc = http_stale_remove(&un, place, err);
    if (rc < 0)
        return rc;
    ret->fd = bind_unix(&un, mode);
    if (ret->fd < 0)
        return cannot_listen(place, errno, err);
    ret->path = strdup(un.sun_path);
    if (!ret->path || lstat(ret->path, &st) < 0 || listen(ret->fd, BACKLOG) < 0)
        return cannot_listen(place, errno, err);
    ret->dev = st.st_dev;
    ret->ino = st.st_ino;
    return 0;
}

void http_listener_describe(struct http_listener *listener)
{
    struct sockaddr_storage s = {0};
    socklen_t len = sizeof(s);
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(listener->fd, (struct sockaddr *)&s, &len);
    if (s.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s;
        listener->port = ntohs(in6->sin6_port);
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(listener->text, sizeof(listener->text), "[%s]:%u", host, listener->port);
    } else if (s.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&s;
        listener->port = ntohs(in->sin_port);
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(listener->text, sizeof(listener->text), "%s:%u", host, listener->port);
    } else {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&s;
        snprintf(listener->text, sizeof(listener->text), "unix:%s", un->sun_path);
    }
}

static int try_inet(const char *place, struct http_address *ret_address,
                    struct vmcp_error *ret_doubt, struct vmcp_error *err)
{
    auto_addrinfo struct addrinfo *list = NULL;
    int rc = resolve(place, &list, err);
    if (rc < 0)
        return rc;
    http_address_of(list->ai_addr, ret_address);
    /* Bound for a moment, and nobody can connect: a server that begins just now can bind too. */
    auto_close int fd = bind_socket(list);
    if (fd >= 0)
        return 0;
    if (errno != EADDRINUSE && errno != EACCES)
        return cannot_listen(place, errno, err);
    (void)cannot_listen(place, errno, ret_doubt);
    return 0;
}

static int try_unix(const char *place, struct vmcp_error *ret_doubt, struct vmcp_error *err)
{
    struct sockaddr_un un;
    struct stat st;
    int rc = set_path(place, &un, err);
    if (rc < 0)
        return rc;
    auto_free char *folder = strdup(un.sun_path);
    if (!folder)
        return vmcp_fail_at(err, VMCP_E_NO_MEMORY, place, "no memory for a path");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    if (faccessat(AT_FDCWD, slash ? folder : ".", W_OK | X_OK, AT_EACCESS) < 0)
        return cannot_listen(place, errno, err);
    if (lstat(un.sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return http_stale_remove(&un, place, err); /* removes no such thing, and says so */
    (void)vmcp_fail_at(ret_doubt, VMCP_E_NETWORK, place,
                       "a socket lies there already; it is replaced where nobody answers at it");
    return 0;
}

int http_listener_try(const char *place, struct http_address *ret_address,
                      struct vmcp_error *ret_doubt, struct vmcp_error *err)
{
    *ret_address = (struct http_address){0};
    return strncmp(place, unix_socket, strlen(unix_socket)) == 0
               ? try_unix(place, ret_doubt, err)
               : try_inet(place, ret_address, ret_doubt, err);
}

int http_listener_open(const char *place, mode_t mode, struct http_listener *ret,
                       struct vmcp_error *err)
{
    auto_listener struct http_listener l = HTTP_LISTENER_NONE;
    int rc = strncmp(place, unix_socket, strlen(unix_socket)) == 0 ? open_unix(place, mode, &l, err)
                                                                   : open_inet(place, &l, err);
    if (rc < 0)
        return rc;
    http_listener_describe(&l);
    *ret = l;
    l = (struct http_listener)HTTP_LISTENER_NONE;
    return 0;
}

void http_listener_close(struct http_listener *listener)
{
    struct stat st;
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
        st.st_ino == listener->ino)
        unlink(listener->path);
    free(listener->path);
    *listener = (struct http_listener)HTTP_LISTENER_NONE;
}

int http_listen(const char *addr_port, int *ret_fd, uint16_t *ret_port, struct vmcp_error *err)
{
    struct http_listener l = HTTP_LISTENER_NONE;
    int rc = open_inet(addr_port, &l, err);
    if (rc < 0)
        return rc;
    http_listener_describe(&l);
    *ret_fd = l.fd;
    if (ret_port)
        *ret_port = l.port;
    return 0;
}
