/* SPDX-License-Identifier: Apache-2.0 */
#include "connections.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "clock.h"
#include "victims.h"

enum {
    REAP_MS = 200,
    LOOK_MS = 1000, /* how soon a client that has gone is noticed */
    LAG_MAX = 256,
};

/* All of these are called with the lock held. */

/* Its thread at libmicrohttpd sees an end of file and closes it. */
static void doom(struct http_connections *t, struct http_connection *c, enum http_end why)
{
    c->why = why;
    c->doomed = true;
    c->holder->count--;
    t->total--;
    t->doomed++;
    shutdown(c->fd, SHUT_RDWR);
}

/* Push out those of a holder (NULL: anybody) that can be spared best. */
static bool push_out(struct http_connections *t, const struct http_holder *holder,
                     enum http_end why)
{
    struct http_connection *victims[HTTP_VICTIMS_MAX];
    size_t count = http_victims_choose(t, holder, victims);
    for (size_t i = 0; i < count; i++)
        doom(t, victims[i], why);
    return count > 0;
}

static bool has_room(struct http_connections *t, struct http_connection *c, unsigned each_max)
{
    c->why = HTTP_END_SHARE;
    if (each_max && c->holder->count >= each_max && !push_out(t, c->holder, HTTP_END_SHARE))
        return false;
    c->why = HTTP_END_FULL;
    if (t->total >= t->total_max && !push_out(t, NULL, HTTP_END_FULL))
        return false;
    c->why = HTTP_END_NONE;
    return true;
}

static bool reserve(struct http_connections *t, size_t fd)
{
    if (fd < t->size)
        return true;
    size_t size = 2 * fd + 64;
    struct http_connection **grown = realloc(t->by_fd, size * sizeof(*grown));
    if (!grown)
        return false;
    for (size_t i = t->size; i < size; i++)
        grown[i] = NULL;
    t->by_fd = grown;
    t->size = size;
    return true;
}

static void unlink_connection(struct http_connections *t, struct http_connection *c)
{
    if (c->doomed) {
        t->doomed--;
    } else {
        c->holder->count--;
        t->total--;
    }
    http_holders_put(&t->holders, c->holder);
    c->holder = NULL;
    if (t->by_fd[c->fd] == c)
        t->by_fd[c->fd] = NULL;
    while (t->high > 0 && !t->by_fd[t->high - 1])
        t->high--;
}

static bool link_connection(struct http_connections *t, struct http_connection *c,
                            unsigned each_max)
{
    size_t fd = (size_t)c->fd;
    if (!reserve(t, fd))
        return false;
    struct http_connection *lost = t->by_fd[fd]; /* its descriptor was closed, for we have it */
    if (lost) {
        unlink_connection(t, lost);
        lost->next = t->lost;
        t->lost = lost;
    }
    c->holder = http_holders_get(&t->holders, &c->address);
    if (!c->holder)
        return false;
    if (!has_room(t, c, each_max)) {
        http_holders_put(&t->holders, c->holder);
        c->holder = NULL;
        return false;
    }
    c->holder->count++;
    if (t->total++ + t->doomed == 0)
        pthread_cond_signal(&t->changed);
    t->by_fd[fd] = c;
    if (fd >= t->high)
        t->high = fd + 1;
    return true;
}

/* libmicrohttpd forgets an end of file that comes while it answers, and would keep the connection
 * until its time is over. It is woken to look again; what it has begun meanwhile it can finish. If
 * that does not help, the connection is shut down. */
static void look(struct http_connections *t, struct http_connection *c, int64_t now)
{
    char byte;
    int64_t since = http_victim_since(c);
    if (!since || atomic_load(&c->answered) || since + LOOK_MS > now ||
        recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return;
    if (c->woken_at == since) {
        doom(t, c, HTTP_END_NONE);
        return;
    }
    c->woken_at = since;
    shutdown(c->fd, SHUT_RD);
}

static void reap(struct http_connections *t, int64_t now)
{
    bool looks = now >= t->next_look;
    if (looks)
        t->next_look = now + LOOK_MS;
    for (size_t i = 0; i < t->high; i++) {
        struct http_connection *c = t->by_fd[i];
        if (!c || !c->started || c->doomed)
            continue;
        int64_t deadline = atomic_load_explicit(&c->deadline, memory_order_acquire);
        if (deadline && deadline <= now)
            doom(t, c,
                 http_victim_since(c) && !atomic_load(&c->answered) ? HTTP_END_HEADER_TIMEOUT
                                                                    : HTTP_END_TRANSFER_TIMEOUT);
        else if (looks)
            look(t, c, now);
    }
}

static void *run_reaper(void *arg)
{
    struct http_connections *t = arg;
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        int64_t at = http_now_ms() + REAP_MS;
        struct timespec ts = {at / 1000, (at % 1000) * 1000000};
        if (t->total + t->doomed > 0)
            pthread_cond_timedwait(&t->changed, &t->lock, &ts);
        else
            pthread_cond_wait(&t->changed, &t->lock);
        reap(t, http_now_ms());
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int http_connections_start(struct http_connections *t, unsigned total_max, struct vmcp_error *err)
{
    *t = (struct http_connections){.total_max = total_max};
    int rc = http_holders_init(&t->holders, err);
    if (rc < 0)
        return rc;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&t->reaper, NULL, run_reaper, t) == 0)
        return 0;
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    http_holders_clear(&t->holders);
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread for the deadlines of connections");
}

void http_connections_stop(struct http_connections *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->reaper, NULL);
    for (size_t i = 0; i < t->high; i++) {
        if (!t->by_fd[i])
            continue;
        http_holders_put(&t->holders, t->by_fd[i]->holder);
        free(t->by_fd[i]);
    }
    while (t->lost) {
        struct http_connection *next = t->lost->next;
        free(t->lost);
        t->lost = next;
    }
    free(t->by_fd);
    http_holders_clear(&t->holders);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

bool http_connections_add(struct http_connections *t, struct http_connection *c, unsigned each_max,
                          int64_t deadline)
{
    http_connection_wait(c, http_now_ms(), deadline);
    http_address_of((const struct sockaddr *)&c->peer, &c->address);
    pthread_mutex_lock(&t->lock);
    bool added = link_connection(t, c, each_max);
    pthread_mutex_unlock(&t->lock);
    return added;
}

struct http_connection *http_connections_started(struct http_connections *t, int fd)
{
    pthread_mutex_lock(&t->lock);
    struct http_connection *c = (size_t)fd < t->high ? t->by_fd[fd] : NULL;
    if (c)
        c->started = true;
    pthread_mutex_unlock(&t->lock);
    return c;
}

void http_connections_remove(struct http_connections *t, struct http_connection *c)
{
    pthread_mutex_lock(&t->lock);
    if (c->holder)
        unlink_connection(t, c);
    pthread_mutex_unlock(&t->lock);
}

bool http_connections_make_room(struct http_connections *t)
{
    pthread_mutex_lock(&t->lock);
    bool made = t->doomed > 0 || push_out(t, NULL, HTTP_END_DESCRIPTORS);
    pthread_mutex_unlock(&t->lock);
    return made;
}

bool http_connections_lag(struct http_connections *t)
{
    pthread_mutex_lock(&t->lock);
    bool lag = t->doomed > LAG_MAX;
    pthread_mutex_unlock(&t->lock);
    return lag;
}

static bool is_busy(const struct http_connection *c)
{
    int unread = 0;
    if (!c || c->doomed)
        return false;
    if (!c->started || atomic_load(&c->begun) || atomic_load(&c->waiting_since) == 0)
        return true;
    return ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0;
}

size_t http_connections_busy(struct http_connections *t)
{
    size_t busy = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->high; i++)
        busy += is_busy(t->by_fd[i]);
    pthread_mutex_unlock(&t->lock);
    return busy;
}

unsigned http_connections_count(struct http_connections *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned count = t->total;
    pthread_mutex_unlock(&t->lock);
    return count;
}
