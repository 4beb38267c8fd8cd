/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { THREADS_MAX = 8, WORTH_A_THREAD = 64 };

struct job {
    void (*work)(void *arg, size_t i);
    void *arg;
    size_t count;
    atomic_size_t next;
};

static void *run(void *arg)
{
    struct job *job = arg;
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->count;)
        job->work(job->arg, i);
    return NULL;
}

void srv_parallel(size_t count, void (*work)(void *arg, size_t i), void *arg)
{
    struct job job = {.work = work, .arg = arg, .count = count};
    pthread_t threads[THREADS_MAX];
    size_t wanted = count / WORTH_A_THREAD, made = 0;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus < 2 ? 0 : cpus > THREADS_MAX ? THREADS_MAX - 1 : (size_t)cpus - 1;
    while (made < wanted && made < most && pthread_create(&threads[made], NULL, run, &job) == 0)
        made++;
    run(&job);
    for (size_t i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
}
