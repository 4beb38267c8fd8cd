/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "group.h"
#include "http/clock.h"
#include "operation.h"
#include "steps.h"

/* An operation that waits for its next step. */
struct job {
    uint64_t operation;
    int64_t due; /* http_now_ms() clock */
    struct job *next;
};

struct emu_worker {
    struct emu_cloud *cloud;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *jobs; /* the next one first */
    bool stopping;
    int64_t groups_due; /* when the groups are looked at in any case; the thread's own */
};

enum { GROUPS_MS = 1000 };

static void insert_job(struct emu_worker *worker, struct job *job)
{
    struct job **at = &worker->jobs;
    while (*at && (*at)->due <= job->due)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    pthread_cond_signal(&worker->changed);
}

void emu_worker_add(struct emu_worker *worker, uint64_t operation_id)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return;
    *job = (struct job){.operation = operation_id, .due = http_now_ms()};
    pthread_mutex_lock(&worker->lock);
    insert_job(worker, job);
    pthread_mutex_unlock(&worker->lock);
}

/* When there is something to do: the next job, or the groups. */
static int64_t next_due(const struct emu_worker *worker)
{
    int64_t due = worker->groups_due;
    if (worker->jobs && worker->jobs->due < due)
        due = worker->jobs->due;
    return due;
}

/* Wait for what comes next. False: it is time to stop. *ret is a job, or NULL: the groups. */
static bool next_job(struct emu_worker *worker, struct job **ret)
{
    *ret = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && next_due(worker) > http_now_ms()) {
        int64_t due = next_due(worker);
        struct timespec until = {due / 1000, due % 1000 * 1000000};
        pthread_cond_timedwait(&worker->changed, &worker->lock, &until);
    }
    bool going = !worker->stopping;
    if (going && worker->jobs && worker->jobs->due <= http_now_ms()) {
        *ret = worker->jobs;
        worker->jobs = worker->jobs->next;
    }
    pthread_mutex_unlock(&worker->lock);
    return going;
}

static void step(struct emu_worker *worker, struct job *job)
{
    struct vmcp_error err = {0};
    int after_ms = -1;
    if (emu_step(worker->cloud, job->operation, &after_ms, &err) < 0) {
        fprintf(stderr, "gce-emulator: an operation cannot be carried on: %s\n", err.text);
        after_ms = -1;
    }
    if (after_ms < 0) {
        free(job);
        return;
    }
    job->due = http_now_ms() + after_ms;
    pthread_mutex_lock(&worker->lock);
    insert_job(worker, job);
    pthread_mutex_unlock(&worker->lock);
}

/* Keep the managed groups: at once where something changed, each second in any case. */
static void keep_groups(struct emu_worker *worker, bool retry)
{
    struct vmcp_error err = {0};
    bool again = false;
    if (emu_groups_keep(worker->cloud, retry, &again, &err) < 0)
        fprintf(stderr, "gce-emulator: the groups cannot be kept: %s\n", err.text);
    if (again)
        atomic_store(&worker->cloud->groups_due, true);
}

static void *work(void *arg)
{
    struct emu_worker *worker = arg;
    struct job *job = NULL;
    while (next_job(worker, &job)) {
        bool retry = worker->groups_due <= http_now_ms();
        if (job)
            step(worker, job);
        if (retry)
            worker->groups_due = http_now_ms() + GROUPS_MS;
        if (atomic_exchange(&worker->cloud->groups_due, false) || retry)
            keep_groups(worker, retry);
    }
    return NULL;
}

static int add_open(void *arg, struct emu_operation *operation)
{
    emu_worker_add(arg, operation->id);
    return 0;
}

int emu_worker_start(struct emu_cloud *cloud, struct emu_worker **ret, struct vmcp_error *err)
{
    struct emu_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the worker");
    worker->cloud = cloud;
    worker->groups_due = http_now_ms() + GROUPS_MS;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = emu_operation_each_open(cloud->store, add_open, worker, err);
    if (rc == 0 && pthread_create(&worker->thread, NULL, work, worker) != 0)
        rc = vmcp_fail(err, VMCP_E_INTERNAL, "the worker thread cannot be started");
    if (rc < 0) {
        free(worker);
        return rc;
    }
    *ret = worker;
    return 0;
}

void emu_worker_stop(struct emu_worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    while (worker->jobs) {
        struct job *job = worker->jobs;
        worker->jobs = job->next;
        free(job);
    }
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
