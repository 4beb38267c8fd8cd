/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <pthread.h>
#include <stdlib.h>

#include "report.h"

enum { PARALLEL_MAX = 64 };

struct work {
    const struct launch_batch *batch;
    pthread_mutex_t lock; /* over all below */
    int64_t next;         /* to be handed out */
    int64_t done, failed;
    json_t **rows; /* by number */
    int rc;        /* of the first that failed */
    struct vmcp_error why;
    bool stop;
};

static void keep(struct work *w, int64_t i, const struct launch_job *job, json_t *row, int rc,
                 const struct vmcp_error *why)
{
    bool own = vmcp_code_exit(why->code) == VMCP_EXIT_OPERATION;
    if (rc < 0 && row) {
        json_object_set_new(row, "code", json_string(vmcp_code_name(why->code)));
        json_object_set_new(row, "detail", json_string(why->text));
    }
    if (rc < 0 && w->batch->count > 1)
        launch_warn(w->batch->run->report, "%s failed: %s: %s", job->plan.name,
                    vmcp_code_name(why->code), why->text);
    pthread_mutex_lock(&w->lock);
    w->rows[i] = row;
    w->done++;
    w->failed += rc < 0;
    w->stop |= rc < 0 && !own;
    if (rc < 0 && w->rc == 0) {
        w->rc = rc;
        w->why = *why;
    }
    long long done = w->done, failed = w->failed, count = w->batch->count;
    pthread_mutex_unlock(&w->lock);
    if (count > 1 && (done % 10 == 0 || done == count))
        launch_progress(w->batch->run->report, "%lld of %lld VMs done, %lld failed", done, count,
                        failed);
}

static void one(struct work *w, struct launch_run *run, int64_t i)
{
    auto_job struct launch_job job = {.subject = w->batch->subject,
                                      .number = w->batch->count > 1 ? i + 1 : 0};
    struct vmcp_error why = {0};
    int rc = w->batch->each(run, &job, &why);
    keep(w, i, &job, w->batch->describe(run, &job), rc, &why);
}

static bool hand_out(struct work *w, int64_t *ret)
{
    pthread_mutex_lock(&w->lock);
    bool more = !w->stop && w->next < w->batch->count;
    *ret = w->next;
    w->next += more;
    pthread_mutex_unlock(&w->lock);
    return more;
}

/* One thread, with connections of its own. */
static void *work(void *arg)
{
    struct work *w = arg;
    struct launch_run run = *w->batch->run;
    auto_client struct http_client *http = NULL;
    struct vmcp_error why = {0};
    int64_t i = 0;
    bool alone = w->batch->count == 1;
    int rc = alone ? 0 : http_client_new(&http, &why);
    if (!alone)
        run.http = run.compute.http = http;
    if (rc < 0) {
        pthread_mutex_lock(&w->lock);
        w->rc = w->rc ? w->rc : rc;
        w->why = why;
        w->stop = true;
        pthread_mutex_unlock(&w->lock);
        return NULL;
    }
    while (hand_out(w, &i))
        one(w, &run, i);
    return NULL;
}

/* As many threads as there may be; the first of them is this one. */
static void run_all(struct work *w)
{
    pthread_t threads[PARALLEL_MAX];
    int wanted = w->batch->parallel < PARALLEL_MAX ? w->batch->parallel : PARALLEL_MAX, started = 0;
    if (wanted > w->batch->count)
        wanted = (int)w->batch->count;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, w) == 0)
        started++;
    work(w);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static void report(struct work *w)
{
    const struct launch_batch *b = w->batch;
    for (int64_t i = 0; i < b->count; i++)
        if (w->rows[i])
            json_array_append_new(launch_report_array(b->run->report, "instances"), w->rows[i]);
    if (b->count > 1 && w->failed)
        launch_warn(b->run->report, "%lld of %lld VMs failed, and %lld were not tried",
                    (long long)w->failed, (long long)b->count, (long long)(b->count - w->done));
}

int launch_batch(const struct launch_batch *batch, struct vmcp_error *err)
{
    struct work w = {.batch = batch, .rows = calloc((size_t)batch->count, sizeof(json_t *))};
    if (!w.rows)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %lld VMs", (long long)batch->count);
    pthread_mutex_init(&w.lock, NULL);
    run_all(&w);
    report(&w);
    pthread_mutex_destroy(&w.lock);
    free(w.rows);
    if (w.rc < 0 && err)
        *err = w.why;
    return w.rc;
}
