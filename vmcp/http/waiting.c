/* SPDX-License-Identifier: Apache-2.0 */
#include "waiting.h"

#include <poll.h>
#include <time.h>

#include "clock.h"

enum { LOOK_MS = 1000 }; /* how soon a client that has gone is noticed */

static void leave(struct http_waiter *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->link = NULL;
}

/* Its client has closed its side, or the connection was reset. Looked for without reading: what
 * came before the end (a request that was sent ahead, an alert of TLS) hides it from recv(). */
static bool client_has_gone(const struct http_waiter *w)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(w->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd end = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Resume those whose time has come or whose client has gone; all with `everyone`. Locked by the
 * caller. */
static void resume(struct http_waiting *waiting, bool everyone)
{
    int64_t now = http_now_ms();
    struct http_waiter *next;
    for (struct http_waiter *w = waiting->first; w; w = next) {
        next = w->next;
        w->gone = !everyone && client_has_gone(w);
        if (!everyone && !w->gone && w->until > now)
            continue;
        leave(w);
        MHD_resume_connection(w->connection);
    }
}

static int64_t next_look(const struct http_waiting *waiting)
{
    int64_t at = http_now_ms() + LOOK_MS;
    for (const struct http_waiter *w = waiting->first; w; w = w->next)
        if (w->until < at)
            at = w->until;
    return at;
}

static void *run_timer(void *arg)
{
    struct http_waiting *waiting = arg;
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->stopping) {
        int64_t at = next_look(waiting);
        struct timespec t = {at / 1000, (at % 1000) * 1000000};
        if (waiting->first)
            pthread_cond_timedwait(&waiting->changed, &waiting->lock, &t);
        else
            pthread_cond_wait(&waiting->changed, &waiting->lock);
        resume(waiting, false);
    }
    pthread_mutex_unlock(&waiting->lock);
    return NULL;
}

int http_waiting_start(struct http_waiting *waiting, struct vmcp_error *err)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&waiting->lock, NULL);
    pthread_cond_init(&waiting->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&waiting->timer, NULL, run_timer, waiting) == 0)
        return 0;
    pthread_cond_destroy(&waiting->changed);
    pthread_mutex_destroy(&waiting->lock);
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread for waiting requests");
}

void http_waiting_stop(struct http_waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    waiting->stopping = true;
    resume(waiting, true);
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
    pthread_join(waiting->timer, NULL);
}

uint64_t http_waiting_mark(struct http_waiting *waiting)
{
    return atomic_load(&waiting->wakes);
}

void http_waiting_put(struct http_waiting *waiting, struct http_waiter *w, uint64_t mark)
{
    pthread_mutex_lock(&waiting->lock);
    w->gone = false;
    MHD_suspend_connection(w->connection);
    if (waiting->wakes != mark || waiting->stopping) {
        MHD_resume_connection(w->connection);
    } else {
        w->next = waiting->first;
        w->link = &waiting->first;
        if (waiting->first)
            waiting->first->link = &w->next;
        waiting->first = w;
        pthread_cond_signal(&waiting->changed);
    }
    pthread_mutex_unlock(&waiting->lock);
}

void http_waiting_wake(struct http_waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    waiting->wakes++;
    resume(waiting, true);
    pthread_mutex_unlock(&waiting->lock);
}
