/* SPDX-License-Identifier: Apache-2.0 */
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "lib/auto.h"

enum {
    BACKLOG = 128,
    BATCH = 16,       /* connections taken before other VMs get their turn */
    FULL_WAIT_MS = 20 /* how long to leave a queue alone when descriptors ran out */
};

struct request {
    int netns;
    struct sockaddr_in addr;
    int fd;
    int rc;
    struct vmcp_error *err;
};

static int listen_here(const struct sockaddr_in *addr, int *ret_fd, struct vmcp_error *err)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    char text[INET_ADDRSTRLEN];
    if (fd < 0)
        return vmcp_fail(err, VMCP_E_NETWORK, "cannot make a socket: %m");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 || listen(fd, BACKLOG) < 0)
        return vmcp_fail(err, VMCP_E_NETWORK, "cannot listen on %s:%u: %m",
                         inet_ntop(AF_INET, &addr->sin_addr, text, sizeof(text)),
                         ntohs(addr->sin_port));
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* A thread of its own: entering a namespace is for the thread that does it, and it need not find
 * its way back. */
static void *listen_there(void *arg)
{
    struct request *request = arg;
    if (setns(request->netns, CLONE_NEWNET) < 0)
        request->rc = vmcp_fail(request->err, VMCP_E_INTERNAL, "cannot enter the VM's network: %m");
    else
        request->rc = listen_here(&request->addr, &request->fd, request->err);
    return NULL;
}

int emu_listen(int netns, struct in_addr addr, uint16_t port, int *ret_fd, struct vmcp_error *err)
{
    struct request request = {
        .netns = netns,
        .addr = {.sin_family = AF_INET, .sin_addr = addr, .sin_port = htons(port)},
        .fd = -1,
        .err = err,
    };
    if (netns < 0)
        return listen_here(&request.addr, ret_fd, err);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, listen_there, &request);
    if (errno)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot start a thread: %m");
    pthread_join(thread, NULL);
    if (request.rc == 0)
        *ret_fd = request.fd;
    return request.rc;
}

uint16_t emu_listen_port(int fd)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof(addr);
    return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 ? ntohs(addr.sin_port) : 0;
}

static void take(struct emu_source *source)
{
    struct emu_listener *listener =
        (struct emu_listener *)(void *)((char *)source - offsetof(struct emu_listener, source));
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(source->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                nanosleep(&(struct timespec){.tv_nsec = FULL_WAIT_MS * 1000000L}, NULL);
            return;
        }
        peer.sin_addr = listener->peer;
        struct vmcp_error err = {0};
        if (http_server_add_connection(listener->server, fd, (struct sockaddr *)&peer, sizeof(peer),
                                       &err) < 0)
            continue; /* full: the server has closed it, and its client tries again */
    }
}

int emu_listener_start(struct emu_listener *listener, struct emu_loop *loop, int fd,
                       struct http_server *server, struct in_addr peer, struct vmcp_error *err)
{
    *listener =
        (struct emu_listener){.source = {.fd = fd, .ready = take}, .server = server, .peer = peer};
    int rc = emu_loop_add(loop, &listener->source, err);
    if (rc < 0) {
        close(fd);
        listener->source.fd = -1;
    }
    return rc;
}
