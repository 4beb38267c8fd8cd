/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/auto.h"

struct call {
    int (*func)(void *arg, struct vmcp_error *err);
    void *arg;
    struct vmcp_error *err;
    int rc;
    bool done;
};

struct emu_loop {
    pthread_t thread;
    int epoll;
    struct emu_source doorbell; /* an eventfd: there is a call, or it is time to end */
    pthread_mutex_t lock;       /* guards what follows */
    pthread_cond_t changed;
    struct call *call; /* the one waiting or under way */
    bool ending;
};

static void run_call(struct emu_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct call *call = loop->call;
    if (call && !call->done) {
        pthread_mutex_unlock(&loop->lock);
        int rc = call->func(call->arg, call->err);
        pthread_mutex_lock(&loop->lock);
        call->rc = rc;
        call->done = true;
        pthread_cond_broadcast(&loop->changed);
    }
    pthread_mutex_unlock(&loop->lock);
}

static void drain_doorbell(struct emu_source *source)
{
    uint64_t rings;
    ssize_t got = read(source->fd, &rings, sizeof(rings));
    (void)got; /* nothing to read: somebody else's ring was counted with ours */
}

static void *loop_main(void *arg)
{
    struct emu_loop *loop = arg;
    for (;;) {
        /* One event at a time: a source may drop others, whose events must not be in hand then. */
        struct epoll_event event;
        int n = epoll_wait(loop->epoll, &event, 1, -1);
        if (n < 0 && errno != EINTR)
            abort(); /* the descriptor is ours: it cannot be wrong */
        if (n < 1)
            continue;
        struct emu_source *source = event.data.ptr;
        source->ready(source);
        if (source != &loop->doorbell)
            continue;
        run_call(loop);
        pthread_mutex_lock(&loop->lock);
        bool ending = loop->ending;
        pthread_mutex_unlock(&loop->lock);
        if (ending)
            return NULL;
    }
}

static void ring(struct emu_loop *loop)
{
    uint64_t one = 1;
    ssize_t put = TEMP_FAILURE_RETRY(write(loop->doorbell.fd, &one, sizeof(one)));
    (void)put; /* fails only when 2^64-2 rings are waiting */
}

static void release(struct emu_loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->doorbell.fd >= 0)
        close(loop->doorbell.fd);
    pthread_mutex_destroy(&loop->lock);
    pthread_cond_destroy(&loop->changed);
    free(loop);
}

int emu_loop_new(struct emu_loop **ret, struct vmcp_error *err)
{
    struct emu_loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the machine room");
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->doorbell =
        (struct emu_source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = drain_doorbell};
    int rc = 0;
    if (loop->epoll < 0 || loop->doorbell.fd < 0)
        rc = vmcp_fail(err, VMCP_E_INTERNAL, "cannot make an event loop: %m");
    if (rc == 0)
        rc = emu_loop_add(loop, &loop->doorbell, err);
    if (rc == 0) {
        errno = pthread_create(&loop->thread, NULL, loop_main, loop);
        if (errno)
            rc = vmcp_fail(err, VMCP_E_INTERNAL, "cannot start a thread: %m");
    }
    if (rc < 0) {
        release(loop);
        return rc;
    }
    *ret = loop;
    return 0;
}

void emu_loop_free(struct emu_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->ending = true;
    pthread_mutex_unlock(&loop->lock);
    ring(loop);
    pthread_join(loop->thread, NULL);
    release(loop);
}

int emu_loop_call(struct emu_loop *loop, int (*func)(void *arg, struct vmcp_error *err), void *arg,
                  struct vmcp_error *err)
{
    struct call call = {.func = func, .arg = arg, .err = err};
    pthread_mutex_lock(&loop->lock);
    while (loop->call)
        pthread_cond_wait(&loop->changed, &loop->lock);
    loop->call = &call;
    ring(loop);
    while (!call.done)
        pthread_cond_wait(&loop->changed, &loop->lock);
    loop->call = NULL;
    pthread_cond_broadcast(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
    return call.rc;
}

int emu_loop_add(struct emu_loop *loop, struct emu_source *source, struct vmcp_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot watch a descriptor: %m");
    return 0;
}

void emu_loop_drop(struct emu_loop *loop, struct emu_source *source)
{
    if (source->fd < 0)
        return;
    /* Closing alone is not enough: a child between fork and exec may hold a copy (epoll(7)). */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}
