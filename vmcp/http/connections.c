/* SPDX-License-Identifier: Apache-2.0 */
#include "connections.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"

enum {
    REAP_MS = 200,
    LOOK_MS = 1000, /* how soon a client that has gone is noticed */
    BUCKETS = 4096, /* of the hash table; a power of two */
    BATCH = 16,     /* pushed out at once: the search for the oldest is not for each new one */
    TOGETHER_MS = 100,
    LAG_MAX = 256,
};

struct http_holder {
    struct http_address address; /* or /64 */
    unsigned count;              /* connections that are not doomed */
    unsigned refs;               /* all of them */
    struct http_holder *next;
};

/* All of these are called with the lock held. */

static struct http_holder **find_holder(struct http_connections *t, const struct http_address *a)
{
    struct http_holder **at = &t->holders[http_address_hash(a, t->seed) % BUCKETS];
    while (*at && !http_address_equal(&(*at)->address, a))
        at = &(*at)->next;
    return at;
}

static struct http_holder *get_holder(struct http_connections *t, const struct http_address *a)
{
    struct http_holder **at = find_holder(t, a);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at)
            return NULL;
        (*at)->address = *a;
    }
    (*at)->refs++;
    return *at;
}

static void put_holder(struct http_connections *t, struct http_holder *holder)
{
    if (--holder->refs > 0)
        return;
    struct http_holder **at = find_holder(t, &holder->address);
    *at = holder->next;
    free(holder);
}

static struct http_holder *largest_holder(const struct http_connections *t)
{
    struct http_holder *largest = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct http_holder *h = t->holders[i]; h; h = h->next)
            if (!largest || h->count > largest->count)
                largest = h;
    return largest;
}

/* Its thread at libmicrohttpd sees an end of file and closes it. */
static void doom(struct http_connections *t, struct http_connection *c)
{
    c->doomed = true;
    c->holder->count--;
    t->total--;
    t->doomed++;
    shutdown(c->fd, SHUT_RDWR);
}

/* Since when it has waited, if it may be pushed out; else 0. */
static int64_t waits_since(const struct http_connection *c, const struct http_holder *holder)
{
    if (!c || !c->started || c->doomed || (holder && c->holder != holder))
        return 0;
    return atomic_load_explicit(&c->waiting_since, memory_order_acquire);
}

/* Push out those of a holder (NULL: anybody) that have waited longest. */
static bool push_out(struct http_connections *t, const struct http_holder *holder)
{
    int64_t oldest = 0;
    for (size_t i = 0; i < t->high; i++) {
        int64_t since = waits_since(t->by_fd[i], holder);
        if (since && (!oldest || since < oldest))
            oldest = since;
    }
    for (size_t i = 0, n = 0; oldest && i < t->high && n < BATCH; i++) {
        int64_t since = waits_since(t->by_fd[i], holder);
        if (since && since <= oldest + TOGETHER_MS) {
            doom(t, t->by_fd[i]);
            n++;
        }
    }
    return oldest != 0;
}

static bool has_room(struct http_connections *t, const struct http_holder *holder,
                     unsigned each_max)
{
    if (each_max && holder->count >= each_max && !push_out(t, holder))
        return false;
    if (t->total < t->total_max)
        return true;
    return push_out(t, largest_holder(t)) || push_out(t, NULL);
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
    put_holder(t, c->holder);
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
    struct http_address group = http_address_group(&c->address);
    c->holder = get_holder(t, &group);
    if (!c->holder)
        return false;
    if (!has_room(t, c->holder, each_max)) {
        put_holder(t, c->holder);
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
    int64_t since = waits_since(c, NULL);
    if (!since || atomic_load(&c->answered) || since + LOOK_MS > now ||
        recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return;
    if (c->woken_at == since) {
        doom(t, c);
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
            doom(t, c);
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
    t->holders = calloc(BUCKETS, sizeof(struct http_holder *));
    if (!t->holders || getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed)) {
        free(t->holders);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a table of connections");
    }
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
    free(t->holders);
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
        put_holder(t, t->by_fd[i]->holder);
        free(t->by_fd[i]);
    }
    while (t->lost) {
        struct http_connection *next = t->lost->next;
        free(t->lost);
        t->lost = next;
    }
    free(t->by_fd);
    free(t->holders);
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
    bool made = t->doomed > 0 || push_out(t, NULL);
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
