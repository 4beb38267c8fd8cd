/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "group.h"
#include "http/clock.h"
#include "operation.h"
#include "steps.h"

/* An operation that waits for its next step, or an instance whose guest has ended. */
struct job {
    uint64_t operation; /* 0: none */
    uint64_t target;    /* what it is about; 0: not looked up yet */
    int64_t due;        /* http_now_ms() clock */
    struct job *next;
};

enum { GROUPS_MS = 1000, THREADS = 6 };

/* Who works: one target at a time is one thread's, and what else is to be done to it waits there.
 */
struct hand {
    struct emu_worker *worker;
    pthread_t thread;
    bool started, keeps_groups;
    uint64_t target;
    struct job *waiting; /* the first that came first */
};

struct emu_worker {
    struct emu_cloud *cloud;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *jobs; /* the next one first */
    bool stopping;
    int64_t groups_due; /* when the groups are looked at in any case; of the hand that keeps them */
    struct hand hands[THREADS];
};

static void insert_job(struct emu_worker *worker, struct job *job)
{
    struct job **at = &worker->jobs;
    while (*at && (*at)->due <= job->due)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    pthread_cond_broadcast(&worker->changed);
}

static void add_job(struct emu_worker *worker, uint64_t operation, uint64_t target)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return;
    *job = (struct job){.operation = operation, .target = target, .due = http_now_ms()};
    pthread_mutex_lock(&worker->lock);
    insert_job(worker, job);
    pthread_mutex_unlock(&worker->lock);
}

void emu_worker_add(struct emu_worker *worker, uint64_t operation_id)
{
    add_job(worker, operation_id, 0);
}

void emu_worker_ended(struct emu_worker *worker, uint64_t instance_id)
{
    add_job(worker, 0, instance_id);
}

/* When there is something to do: the next job, or the groups. */
static int64_t next_due(const struct hand *hand)
{
    const struct emu_worker *worker = hand->worker;
    int64_t due = hand->keeps_groups ? worker->groups_due : INT64_MAX;
    if (hand->keeps_groups && atomic_load(&worker->cloud->groups_due))
        due = 0;
    if (worker->jobs && worker->jobs->due < due)
        due = worker->jobs->due;
    return due;
}

/* Wait for what comes next. False: it is time to stop. *ret is a job, or NULL: the groups. */
static bool next_job(struct hand *hand, struct job **ret)
{
    struct emu_worker *worker = hand->worker;
    *ret = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && next_due(hand) > http_now_ms()) {
        int64_t due = next_due(hand);
        struct timespec until = {due / 1000, due % 1000 * 1000000};
        if (due == INT64_MAX)
            pthread_cond_wait(&worker->changed, &worker->lock);
        else
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

/* What the job is about, if it still is about anything. */
static bool find_target(struct emu_worker *worker, struct job *job)
{
    auto_operation struct emu_operation op = {0};
    struct vmcp_error err = {0};
    if (!job->target && emu_operation_by_id(worker->cloud->store, job->operation, &op, &err) == 0)
        job->target = op.target;
    return job->target != 0;
}

/* Have the target to oneself; false: the job waits behind another hand's. */
static bool claim(struct hand *hand, struct job *job)
{
    struct emu_worker *worker = hand->worker;
    struct job **at = NULL;
    pthread_mutex_lock(&worker->lock);
    for (size_t i = 0; i < THREADS && !at; i++)
        if (worker->hands[i].target == job->target)
            at = &worker->hands[i].waiting;
    while (at && *at)
        at = &(*at)->next;
    if (at) {
        job->next = NULL;
        *at = job;
    } else {
        hand->target = job->target;
    }
    pthread_mutex_unlock(&worker->lock);
    return !at;
}

/* Give the target up. Those that waited keep their order, being due longest. */
static void unclaim(struct hand *hand)
{
    struct emu_worker *worker = hand->worker;
    pthread_mutex_lock(&worker->lock);
    hand->target = 0;
    while (hand->waiting) {
        struct job *job = hand->waiting;
        hand->waiting = job->next;
        insert_job(worker, job);
    }
    pthread_mutex_unlock(&worker->lock);
}

static void step(struct hand *hand, struct job *job)
{
    struct emu_worker *worker = hand->worker;
    struct vmcp_error err = {0};
    int after_ms = -1;
    if (!find_target(worker, job)) {
        free(job);
        return;
    }
    if (!claim(hand, job))
        return;
    int rc = job->operation ? emu_step(worker->cloud, job->operation, &after_ms, &err)
                            : emu_step_ended(worker->cloud, job->target, &err);
    if (rc < 0) {
        fprintf(stderr, "gce-emulator: an operation cannot be carried on: %s\n", err.text);
        after_ms = -1;
    }
    if (after_ms < 0) {
        free(job);
    } else {
        job->due = http_now_ms() + after_ms;
        pthread_mutex_lock(&worker->lock);
        insert_job(worker, job);
        pthread_mutex_unlock(&worker->lock);
    }
    unclaim(hand);
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
    struct hand *hand = arg;
    struct emu_worker *worker = hand->worker;
    struct job *job = NULL;
    while (next_job(hand, &job)) {
        if (job)
            step(hand, job);
        if (!hand->keeps_groups) {
            if (atomic_load(&worker->cloud->groups_due)) {
                pthread_mutex_lock(&worker->lock);
                pthread_cond_broadcast(&worker->changed);
                pthread_mutex_unlock(&worker->lock);
            }
            continue;
        }
        bool retry = worker->groups_due <= http_now_ms();
        if (retry)
            worker->groups_due = http_now_ms() + GROUPS_MS;
        if (atomic_exchange(&worker->cloud->groups_due, false) || retry)
            keep_groups(worker, retry);
    }
    return NULL;
}

static int start_hands(struct emu_worker *worker, struct vmcp_error *err)
{
    for (size_t i = 0; i < THREADS; i++) {
        struct hand *hand = &worker->hands[i];
        hand->worker = worker;
        hand->keeps_groups = i == 0;
        hand->started = pthread_create(&hand->thread, NULL, work, hand) == 0;
        if (!hand->started)
            return vmcp_fail(err, VMCP_E_INTERNAL, "a worker thread cannot be started");
    }
    return 0;
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
    if (rc == 0) {
        *ret = worker; /* the hands give each other work through the cloud */
        rc = start_hands(worker, err);
    }
    if (rc < 0) {
        *ret = NULL;
        emu_worker_stop(worker);
    }
    return rc;
}

void emu_worker_stop(struct emu_worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    for (size_t i = 0; i < THREADS; i++)
        if (worker->hands[i].started)
            pthread_join(worker->hands[i].thread, NULL);
    while (worker->jobs) {
        struct job *job = worker->jobs;
        worker->jobs = job->next;
        free(job);
    }
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
