/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <pthread.h>

enum { PARALLEL_MAX = 64 };

struct pool {
    const struct launch_run *run;
    int64_t count;
    launch_pool_one one;
    void *arg;
    pthread_mutex_t lock; /* over all below */
    int64_t next;         /* to be handed out */
    bool stop;
    int rc;
    struct vmcp_error why;
};

static bool hand_out(struct pool *p, int64_t *ret)
{
    pthread_mutex_lock(&p->lock);
    bool more = !p->stop && p->next < p->count;
    *ret = p->next;
    p->next += more;
    pthread_mutex_unlock(&p->lock);
    return more;
}

static void end(struct pool *p, int rc, const struct vmcp_error *why)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    if (rc < 0 && p->rc == 0) {
        p->rc = rc;
        p->why = *why;
    }
    pthread_mutex_unlock(&p->lock);
}

/* One thread, with connections of its own. */
static void *work(void *arg)
{
    struct pool *p = arg;
    struct launch_run run = *p->run;
    auto_client struct http_client *http = NULL;
    struct vmcp_error why = {0};
    int64_t i = 0;
    if (p->count > 1) { /* the only one may use the caller's */
        int rc = http_client_new(&http, &why);
        if (rc < 0) {
            end(p, rc, &why);
            return NULL;
        }
        run.http = run.compute.http = http;
    }
    while (hand_out(p, &i))
        if (!p->one(p->arg, &run, i))
            end(p, 0, &why);
    return NULL;
}

int launch_pool(const struct launch_run *run, int64_t count, int parallel, launch_pool_one one,
                void *arg, struct vmcp_error *err)
{
    struct pool p = {.run = run, .count = count, .one = one, .arg = arg};
    pthread_t threads[PARALLEL_MAX];
    int wanted = parallel < PARALLEL_MAX ? parallel : PARALLEL_MAX, started = 0;
    if (wanted > count)
        wanted = (int)count;
    pthread_mutex_init(&p.lock, NULL);
    /* The first of the threads is this one. */
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, &p) == 0)
        started++;
    work(&p);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&p.lock);
    if (p.rc < 0 && err)
        *err = p.why;
    return p.rc;
}
