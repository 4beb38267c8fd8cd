/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor.h - a thread that accepts connections at up to HTTP_LISTENERS_MAX places.
 *
 * libmicrohttpd would accept by itself, but at one place only, and it knows no share of an address.
 */
#ifndef HTTP_ACCEPTOR_H
#define HTTP_ACCEPTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/error.h"
#include "lib/limits.h"
#include "listen.h"

struct http_acceptor {
    struct http_listener listeners[HTTP_LISTENERS_MAX];
    size_t count;
    int wake; /* an eventfd: look again */
    bool stopping, running;
    pthread_mutex_t lock;
    pthread_t thread;
    /* Takes over an accepted socket. Called from the acceptor's thread. */
    void (*take)(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len);
    /* No room for more now: with `urgent`, because descriptors ran out. True: wait a little. */
    bool (*full)(void *arg, bool urgent);
    void *arg;
};

/* Prepare; `take`, `full` and `arg` are set by the caller. */
VMCP_MUST_CHECK int http_acceptor_init(struct http_acceptor *acceptor, struct vmcp_error *err);
/* Take a listener over, on success. The first starts the thread. Errors: VMCP_E_LIMIT,
 * VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int http_acceptor_add(struct http_acceptor *acceptor,
                                      struct http_listener *listener, struct vmcp_error *err);
/* Accept what the kernel has queued, then close all listeners and end the thread. */
void http_acceptor_stop(struct http_acceptor *acceptor);

#endif
