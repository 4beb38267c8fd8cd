/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <pthread.h>
#include <stdlib.h>

#include "pool.h"
#include "report.h"

struct work {
    const struct launch_batch *batch;
    pthread_mutex_t lock; /* over all below */
    int64_t done, failed;
    json_t **rows; /* by number */
    int rc;        /* of the first that failed */
    struct vmcp_error why;
};

/* Is it one VM's failure, which another of the same machine need not meet? */
static bool is_its_own(const struct vmcp_error *why)
{
    int exit = vmcp_code_exit(why->code);
    return exit == VMCP_EXIT_OPERATION || exit == VMCP_EXIT_TIMEOUT ||
           why->code == VMCP_E_SESSION || why->code == VMCP_E_DRIFT;
}

static void keep(struct work *w, int64_t i, const struct launch_job *job, json_t *row, int rc,
                 const struct vmcp_error *why)
{
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

static bool one(void *arg, struct launch_run *run, int64_t i)
{
    struct work *w = arg;
    auto_job struct launch_job job = {.subject = w->batch->subject,
                                      .number = w->batch->count > 1 ? i + 1 : 0};
    struct vmcp_error why = {0};
    int rc = w->batch->each(run, &job, &why);
    keep(w, i, &job, w->batch->describe(run, &job), rc, &why);
    return rc == 0 || is_its_own(&why);
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
    struct vmcp_error broken = {0};
    int rc = launch_pool(batch->run, batch->count, batch->parallel, one, &w, &broken);
    report(&w);
    pthread_mutex_destroy(&w.lock);
    free(w.rows);
    if ((w.rc < 0 || rc < 0) && err)
        *err = w.rc < 0 ? w.why : broken;
    return w.rc < 0 ? w.rc : rc;
}
