/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/auto.h"

enum { CHUNK = 16 * 1024 };

static atomic_int carried;

struct carrying {
    int from, to;
    const char *target;
};

static int connect_to(const char *target)
{
    char host[256];
    const char *colon = strrchr(target, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int fd = -1;
    if (!colon || (size_t)(colon - target) >= sizeof(host))
        return -1;
    memcpy(host, target, (size_t)(colon - target));
    host[colon - target] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

bool emu_relay_reaches(const char *target)
{
    auto_close int fd = connect_to(target);
    return fd >= 0;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(send(fd, bytes, len, MSG_NOSIGNAL));
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* One piece in one direction. An end of file is passed on; *open becomes false. */
static bool pass(int from, int to, bool *open)
{
    char bytes[CHUNK];
    ssize_t n = TEMP_FAILURE_RETRY(recv(from, bytes, sizeof(bytes), 0));
    if (n > 0)
        return send_all(to, bytes, (size_t)n);
    *open = false;
    shutdown(to, SHUT_WR);
    return n == 0;
}

static void *carry(void *arg)
{
    struct carrying c = *(struct carrying *)arg;
    free(arg);
    bool forth = true, back = true;
    c.to = connect_to(c.target); /* here, as it takes its time */
    while (c.to >= 0 && (forth || back)) {
        struct pollfd p[2] = {{.fd = forth ? c.from : -1, .events = POLLIN},
                              {.fd = back ? c.to : -1, .events = POLLIN}};
        if (TEMP_FAILURE_RETRY(poll(p, 2, -1)) < 0 ||
            (p[0].revents && !pass(c.from, c.to, &forth)) ||
            (p[1].revents && !pass(c.to, c.from, &back)))
            break;
    }
    close(c.from);
    if (c.to >= 0)
        close(c.to);
    atomic_fetch_sub(&carried, 1);
    return NULL;
}

void emu_relay_take(int fd, const char *target)
{
    pthread_t thread;
    struct carrying *c = malloc(sizeof(*c));
    if (atomic_fetch_add(&carried, 1) < EMU_RELAYED_MAX && c) {
        *c = (struct carrying){.from = fd, .to = -1, .target = target};
        if (pthread_create(&thread, NULL, carry, c) == 0) {
            pthread_detach(thread);
            return;
        }
    }
    atomic_fetch_sub(&carried, 1);
    free(c);
    close(fd);
}

static void *serve(void *arg)
{
    struct emu_relay relay = *(struct emu_relay *)arg;
    free(arg);
    struct pollfd p = {.fd = relay.fd, .events = POLLIN};
    while (TEMP_FAILURE_RETRY(poll(&p, 1, -1)) > 0) {
        int fd = accept4(relay.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            emu_relay_take(fd, relay.target);
    }
    return NULL;
}

int emu_relay_start(const struct emu_relay *relays, size_t count, struct vmcp_error *err)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        auto_free struct emu_relay *copy = malloc(sizeof(*copy));
        if (copy)
            *copy = relays[i];
        if (!copy || pthread_create(&thread, NULL, serve, copy) != 0)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread to carry connections");
        pthread_detach(thread);
        copy = NULL;
    }
    return 0;
}
