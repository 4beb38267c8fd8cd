/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - where a server listens: addresses and ports, Unix sockets, sockets from systemd.
 *
 *     auto_listener struct http_listener place = HTTP_LISTENER_NONE;
 *     if (http_listener_open("unix:/run/vmcp/vmcpd.sock", 0660, &place, &err) < 0) ...
 *     http_server_listen(server, &place, &err)     takes it over
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/limits.h"

struct http_listener {
    int fd;         /* listening, not blocking, close-on-exec */
    uint16_t port;  /* 0: a Unix socket */
    char text[160]; /* "127.0.0.1:8080" with the port in use, "[::1]:80", "unix:/run/x" */
    char name[64];  /* FileDescriptorName= of a socket unit, or "" */
    char *path;     /* of a Unix socket that we made: removed at the end; owned */
    dev_t dev;
    ino_t ino;
};

#define HTTP_LISTENER_NONE \
    {                      \
        .fd = -1           \
    }

/* Listen at `place`: "ADDR:PORT", "[::1]:PORT" (port 0: one that is free), or "unix:PATH" with
 * `mode` for the socket file. IPv6 sockets take IPv6 only: [::] and 0.0.0.0 are two places. A Unix
 * socket's file that this user's killed server left is replaced (stale.h); any other one, and
 * whatever else lies there, is an error. ADDR may be a name: its first address now counts. To be
 * called before there are threads, for a Unix socket gives the process another umask for a moment.
 * Errors: VMCP_E_USAGE, VMCP_E_NETWORK, with the place. */
VMCP_MUST_CHECK int http_listener_open(const char *place, mode_t mode, struct http_listener *ret,
                                       struct vmcp_error *err);
/* Could one listen there? Nothing is left behind, and a server that listens there does not notice.
 * What cannot be told is no failure: where the place is in use, perhaps by the very server that is
 * meant, or takes a right that this process has not, *ret_doubt says so (VMCP_OK: no doubt).
 * *ret_address is where it would be, not `known` of a Unix socket.
 * Errors: those of http_listener_open(). */
VMCP_MUST_CHECK int http_listener_try(const char *place, struct http_address *ret_address,
                                      struct vmcp_error *ret_doubt, struct vmcp_error *err);
/* Close, and remove the Unix socket's file if it is still ours. */
void http_listener_close(struct http_listener *listener);
#define auto_listener VMCP_AUTO(http_listener_close)

/* Take the sockets that systemd passed to this process (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS
 * and LISTEN_FDNAMES, which are removed from the environment. None is no error: *ret_count is 0.
 * Errors: VMCP_E_USAGE for a descriptor that is no listening stream socket, or for too many. */
VMCP_MUST_CHECK int http_listeners_activated(struct http_listener list[static HTTP_LISTENERS_MAX],
                                             size_t *ret_count, struct vmcp_error *err);

/* Fill text and port from the socket's own address. */
void http_listener_describe(struct http_listener *listener);

#endif
