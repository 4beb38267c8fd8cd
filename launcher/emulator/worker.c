/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

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
};

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

/* Wait for the next job whose time has come; NULL: it is time to stop. */
static struct job *next_job(struct emu_worker *worker)
{
    struct job *job = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && !(worker->jobs && worker->jobs->due <= http_now_ms())) {
        if (!worker->jobs) {
            pthread_cond_wait(&worker->changed, &worker->lock);
            continue;
        }
        int64_t due = worker->jobs->due;
        struct timespec until = {due / 1000, due % 1000 * 1000000};
        pthread_cond_timedwait(&worker->changed, &worker->lock, &until);
    }
    if (!worker->stopping) {
        job = worker->jobs;
        worker->jobs = job->next;
    }
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void *work(void *arg)
{
    struct emu_worker *worker = arg;
    struct job *job;
    while ((job = next_job(worker))) {
        struct vmcp_error err = {0};
        bool done = true;
        if (emu_step(worker->cloud, job->operation, &done, &err) < 0) {
            fprintf(stderr, "gce-emulator: an operation cannot be carried on: %s\n", err.text);
            done = true;
        }
        if (done) {
            free(job);
            continue;
        }
        job->due = http_now_ms() + worker->cloud->operation_delay_ms;
        pthread_mutex_lock(&worker->lock);
        insert_job(worker, job);
        pthread_mutex_unlock(&worker->lock);
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
