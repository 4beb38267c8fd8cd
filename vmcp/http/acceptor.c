/* SPDX-License-Identifier: Apache-2.0 */
#include "acceptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 64,  /* connections of one place before the others get their turn */
    PAUSE_MS = 5 /* how long to leave the queues alone when there is no room */
};

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
}

/* True while there may be more in the queue. */
static bool accept_one(struct http_acceptor *a, int listener)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    if (a->full(a->arg, false)) {
        pause_a_little();
        return false;
    }
    int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        a->take(a->arg, fd, (const struct sockaddr *)&peer, len);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        a->full(a->arg, true);
        pause_a_little();
        return false;
    }
    return errno != EAGAIN && errno != EWOULDBLOCK; /* that one connection has gone */
}

/* True if there was nothing at all. */
static bool accept_all(struct http_acceptor *a, const struct pollfd *fds, size_t count)
{
    bool idle = true;
    for (size_t i = 0; i < count; i++) {
        if (!fds[i].revents)
            continue;
        idle = false;
        for (int n = 0; n < BATCH && accept_one(a, fds[i].fd); n++)
            ;
    }
    return idle;
}

/* What is to be watched now: the listeners, and behind them the eventfd. */
static size_t watch(struct http_acceptor *a, struct pollfd *fds, bool *ret_stopping)
{
    pthread_mutex_lock(&a->lock);
    size_t count = a->count;
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = a->listeners[i].fd, .events = POLLIN};
    *ret_stopping = a->stopping;
    pthread_mutex_unlock(&a->lock);
    fds[count] = (struct pollfd){.fd = a->wake, .events = POLLIN};
    return count;
}

static void *run(void *arg)
{
    struct http_acceptor *a = arg;
    struct pollfd fds[HTTP_LISTENERS_MAX + 1];
    enum { DRAIN_MAX = 100 }; /* a queue that fills as fast as it is emptied has an end too */
    bool stopping = false;
    for (int drained = 0; drained < DRAIN_MAX;) {
        size_t count = watch(a, fds, &stopping);
        int ready = poll(fds, count + 1, stopping ? 0 : -1);
        if (ready < 0 && errno != EINTR)
            pause_a_little();
        if (fds[count].revents) {
            eventfd_t ignored;
            (void)eventfd_read(a->wake, &ignored);
        }
        bool idle = ready <= 0 || accept_all(a, fds, count);
        if (stopping && idle)
            break;
        drained += stopping;
    }
    return NULL;
}

int http_acceptor_init(struct http_acceptor *a, struct vmcp_error *err)
{
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no event descriptor: %s", strerror(errno));
    pthread_mutex_init(&a->lock, NULL);
    return 0;
}

int http_acceptor_add(struct http_acceptor *a, struct http_listener *listener,
                      struct vmcp_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&a->lock);
    if (a->count == HTTP_LISTENERS_MAX) {
        rc = vmcp_fail_at(err, VMCP_E_LIMIT, listener->text, "at most %d places to listen at",
                          HTTP_LISTENERS_MAX);
    } else {
        a->listeners[a->count++] = *listener;
        if (!a->running && pthread_create(&a->thread, NULL, run, a) != 0) {
            a->count--;
            rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread to accept connections");
        }
    }
    if (rc == 0) {
        a->running = true;
        *listener = (struct http_listener)HTTP_LISTENER_NONE;
        (void)eventfd_write(a->wake, 1);
    }
    pthread_mutex_unlock(&a->lock);
    return rc;
}

void http_acceptor_stop(struct http_acceptor *a)
{
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_mutex_unlock(&a->lock);
    (void)eventfd_write(a->wake, 1);
    if (a->running)
        pthread_join(a->thread, NULL);
    for (size_t i = 0; i < a->count; i++)
        http_listener_close(&a->listeners[i]);
    close(a->wake);
    pthread_mutex_destroy(&a->lock);
}
