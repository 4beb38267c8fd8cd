/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "clock.h"
#include "gauges.h"
#include "http/notify.h"

enum {
    THREADS_MAX = 64,
    REFRESHES_A_THREAD = 16,  /* that wait until one more is woken for them */
    SLEEP_MIN_MS = 100,       /* what is due close together is done together */
    SLEEP_MAX_MS = 10 * 1000, /* a clock that was set is noticed by then; systemd's watchdog too */
    STATUS_EVERY_MS = 5000,
};

static int64_t now_of(const struct launch_service *s)
{
    return s->jobs->now_ms(s->jobs->clock_arg);
}

static int tasks_init(struct launch_tasks *tasks, size_t room, struct vmcp_error *err)
{
    *tasks = (struct launch_tasks){.room = room ? room : 1};
    tasks->items = calloc(tasks->room, sizeof(*tasks->items));
    return tasks->items ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %zu jobs", room);
}

static void tasks_push(struct launch_tasks *tasks, const struct launch_task *task)
{
    tasks->items[(tasks->head + tasks->count++) % tasks->room] = *task;
}

static bool tasks_pop(struct launch_tasks *tasks, struct launch_task *ret)
{
    if (!tasks->count)
        return false;
    *ret = tasks->items[tasks->head];
    tasks->head = (tasks->head + 1) % tasks->room;
    tasks->count--;
    return true;
}

static void wake_main(struct launch_service *s)
{
    uint64_t one = 1;
    (void)!write(s->wake_fd, &one, sizeof(one));
}

/* The next task, runs before refreshes. The caller holds the lock. False: the end. */
static bool next_task(struct launch_service *s, struct launch_task *ret)
{
    for (;; pthread_cond_wait(&s->work, &s->lock)) {
        if (s->stopping)
            return false;
        if (tasks_pop(&s->runs, ret) || tasks_pop(&s->refreshes, ret))
            return true;
    }
}

struct thread {
    struct launch_service *service;
    struct launch_worker worker;
    pthread_t id;
};

static void *work(void *arg)
{
    struct thread *t = arg;
    struct launch_service *s = t->service;
    struct launch_task task;
    pthread_mutex_lock(&s->lock);
    while (next_task(s, &task)) {
        s->busy++;
        pthread_mutex_unlock(&s->lock);
        launch_service_work(s, &t->worker, &task);
        pthread_mutex_lock(&s->lock);
        s->busy--;
        if (s->stopping ||
            launch_scheduler_wake_ms(s->scheduler) < s->asleep_until_ms - SLEEP_MIN_MS)
            wake_main(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Hand out what is due; how long there is nothing to do. */
static int64_t hand_out(struct launch_service *s)
{
    struct launch_task task;
    int64_t now = now_of(s);
    pthread_mutex_lock(&s->lock);
    while (launch_scheduler_take(s->scheduler, now, &task)) {
        bool refresh = task.action == LAUNCH_REFRESH;
        tasks_push(refresh ? &s->refreshes : &s->runs, &task);
        if (!refresh || s->refreshes.count % REFRESHES_A_THREAD == 1)
            pthread_cond_signal(&s->work);
    }
    int64_t wake = launch_scheduler_wake_ms(s->scheduler);
    int64_t sleep = wake - now < SLEEP_MAX_MS ? wake - now : SLEEP_MAX_MS;
    if (sleep < SLEEP_MIN_MS)
        sleep = SLEEP_MIN_MS;
    s->asleep_until_ms = now + sleep;
    pthread_mutex_unlock(&s->lock);
    return sleep;
}

static void tell_systemd(struct launch_service *s, int64_t *last_ms)
{
    size_t known = 0, stopped = 0;
    int64_t now = launch_uptime_ms();
    if (*last_ms && now - *last_ms < STATUS_EVERY_MS)
        return;
    *last_ms = now;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        known += s->all[i].known && !s->all[i].stopped;
        stopped += s->all[i].stopped;
    }
    bool deaf = s->deaf;
    int busy = s->busy;
    pthread_mutex_unlock(&s->lock);
    http_notify("WATCHDOG=1\nSTATUS=%zu of %zu jobs scheduled, %zu stopped, %d at work%s", known,
                s->count, stopped, busy, deaf ? "; the responder does not answer" : "");
}

/* What a signal wants; false: the end. */
static bool obey(struct launch_service *s, int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return true;
    if (info.ssi_signo != SIGHUP)
        return false;
    launch_say(s->jobs->run.report, "refreshing %zu job%s", s->count, s->count == 1 ? "" : "s");
    pthread_mutex_lock(&s->lock);
    launch_scheduler_refresh_all(s->scheduler, now_of(s));
    pthread_mutex_unlock(&s->lock);
    return true;
}

static void serve(struct launch_service *s, int signal_fd)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                           {.fd = s->wake_fd, .events = POLLIN}};
    int64_t told_ms = 0;
    for (;;) {
        uint64_t count;
        int64_t sleep = hand_out(s);
        tell_systemd(s, &told_ms);
        if (poll(fds, 2, (int)sleep) < 0 && errno != EINTR)
            return;
        if (fds[1].revents)
            (void)!read(s->wake_fd, &count, sizeof(count));
        if (fds[0].revents && !obey(s, signal_fd))
            return;
    }
}

/* Let what is being done come to its end. False: time is over, or who stops us says so again. */
static bool wind_down(struct launch_service *s, int signal_fd, int64_t grace_ms)
{
    struct pollfd fds[] = {{.fd = s->wake_fd, .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN}};
    int64_t end = launch_uptime_ms() + grace_ms;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    int busy = s->busy;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    http_notify("STOPPING=1");
    if (busy)
        launch_say(s->jobs->run.report, "stopping: %d job%s at work", busy, busy == 1 ? "" : "s");
    while (busy) {
        uint64_t count;
        int64_t left = end - launch_uptime_ms();
        if (left <= 0 || (poll(fds, 2, (int)left) > 0 && fds[1].revents && !obey(s, signal_fd)))
            return false;
        if (fds[0].revents)
            (void)!read(s->wake_fd, &count, sizeof(count));
        pthread_mutex_lock(&s->lock);
        busy = s->busy;
        pthread_mutex_unlock(&s->lock);
    }
    return true;
}

static int block_signals(int *ret_fd, struct vmcp_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? vmcp_fail(err, VMCP_E_FILE, "no signalfd: %s", strerror(errno)) : 0;
}

static int init(struct launch_service *s, const struct launch_service_options *o,
                struct vmcp_error *err)
{
    struct launch_scheduler_rules rules = {o->refresh_ms, o->patience_ms};
    s->all = calloc(o->count ? o->count : 1, sizeof(*s->all));
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!s->all || s->wake_fd < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no room for %zu jobs", o->count);
    s->count = o->count;
    for (size_t i = 0; i < o->count; i++)
        s->all[i].name = o->names[i];
    int rc = tasks_init(&s->runs, o->count, err);
    if (rc == 0)
        rc = tasks_init(&s->refreshes, o->count, err);
    return rc < 0 ? rc : launch_scheduler_new(&rules, o->count, now_of(s), &s->scheduler, err);
}

static void clear(struct launch_service *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->all[i].kept);
        launch_held_free(s->all[i].held);
    }
    free(s->all);
    free(s->runs.items);
    free(s->refreshes.items);
    launch_scheduler_free(s->scheduler);
    launch_zones_clear(&s->zones);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
}

/* One thread at least. */
static int start_threads(struct launch_service *s, struct thread *threads, int wanted,
                         int *ret_started, struct vmcp_error *err)
{
    for (int n = 0; n < wanted; n++) {
        struct thread *t = &threads[n];
        t->service = s;
        int rc = launch_worker_begin(&t->worker, s->jobs, err);
        if (rc == 0 && pthread_create(&t->id, NULL, work, t) != 0)
            rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread number %d", n + 1);
        if (rc < 0) {
            launch_worker_end(&t->worker);
            return rc;
        }
        *ret_started = n + 1;
    }
    return 0;
}

static void end_threads(struct thread *threads, int started)
{
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i].id, NULL);
        launch_worker_end(&threads[i].worker);
    }
}

static int run(struct launch_service *s, const struct launch_service_options *o, int signal_fd,
               struct vmcp_error *err)
{
    struct launch_gauges gauges = LAUNCH_GAUGES(s);
    struct thread threads[THREADS_MAX] = {0};
    int started = 0, wanted = o->parallel < THREADS_MAX ? o->parallel : THREADS_MAX;
    if ((size_t)wanted > o->count)
        wanted = (int)o->count;
    int rc = launch_gauges_start(&gauges, o->metrics, err);
    if (rc == 0)
        rc = start_threads(s, threads, wanted, &started, err);
    if (rc == 0) {
        launch_say(s->jobs->run.report, "%zu job%s of %s on schedule", o->count,
                   o->count == 1 ? "" : "s", s->jobs->run.domain);
        http_notify("READY=1");
        serve(s, signal_fd);
    }
    bool ended = wind_down(s, signal_fd, rc < 0 ? 0 : o->stop_grace_ms);
    if (!ended && rc == 0) {
        launch_say(s->jobs->run.report, "time is over: what is open is settled at the next start");
        /* Threads are in the middle of a request, and nothing of theirs can be taken away. */
        fflush(NULL);
        _exit(VMCP_EXIT_DONE);
    }
    launch_gauges_stop(&gauges);
    end_threads(threads, started);
    return rc;
}

int launch_service_run(const struct launch_service_options *o, struct vmcp_error *err)
{
    struct launch_service s = {.jobs = o->jobs,
                               .offline_grace_ms = o->offline_grace_ms,
                               .zones = LAUNCH_ZONES,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .work = PTHREAD_COND_INITIALIZER,
                               .wake_fd = -1};
    auto_close int signal_fd = -1;
    (void)http_notify_open();
    int rc = block_signals(&signal_fd, err);
    if (rc == 0)
        rc = init(&s, o, err);
    if (rc == 0)
        rc = run(&s, o, signal_fd, err);
    clear(&s);
    return rc;
}
