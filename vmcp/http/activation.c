/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that systemd opened for us: http_listeners_activated() of listen.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

/* A decimal number of the environment, 0 for anything else. */
static unsigned long number_of(const char *variable)
{
    const char *text = getenv(variable);
    if (!text || !*text || strspn(text, "0123456789") != strlen(text))
        return 0;
    return strtoul(text, NULL, 10);
}

static bool is_listening(int fd)
{
    int type = 0, accepts = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return false;
    len = sizeof(accepts);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts;
}

static int take(int fd, const char *name, size_t name_len, struct http_listener *ret,
                struct vmcp_error *err)
{
    struct http_listener l = {.fd = fd};
    if (name_len < sizeof(l.name))
        memcpy(l.name, name, name_len);
    int flags = fcntl(fd, F_GETFL);
    if (!is_listening(fd) || flags < 0)
        return vmcp_fail_at(err, VMCP_E_USAGE, l.name,
                            "descriptor %d from systemd is no listening stream socket; the unit "
                            "needs ListenStream= and Accept=no",
                            fd);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return vmcp_fail_at(err, VMCP_E_NETWORK, l.name, "descriptor %d from systemd: %s", fd,
                            strerror(errno));
    http_listener_describe(&l);
    *ret = l;
    return 0;
}

int http_listeners_activated(struct http_listener list[static HTTP_LISTENERS_MAX],
                             size_t *ret_count, struct vmcp_error *err)
{
    bool ours = number_of("LISTEN_PID") == (unsigned long)getpid();
    unsigned long count = ours ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    int rc = 0;
    if (count > HTTP_LISTENERS_MAX)
        return vmcp_fail(err, VMCP_E_USAGE, "%lu sockets from systemd; at most %d are taken", count,
                         HTTP_LISTENERS_MAX);
    for (unsigned long i = 0; rc == 0 && i < count; i++) {
        size_t len = names ? strcspn(names, ":") : 0;
        rc = take(FIRST_FD + (int)i, names ? names : "", len, &list[i], err);
        names = names && names[len] ? names + len + 1 : NULL;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (rc == 0)
        *ret_count = count;
    return rc;
}
