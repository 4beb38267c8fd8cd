/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread of the service does with a task. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/instant.h"
#include "service_doing.h"

void launch_held_free(struct launch_held *held)
{
    if (!held)
        return;
    launch_signed_job_clear(&held->job);
    launch_state_close(&held->state);
    free(held);
}

int64_t launch_doing_now(const struct launch_doing *d)
{
    return d->s->jobs->now_ms(d->s->jobs->clock_arg);
}

const struct launch_report *launch_doing_report(const struct launch_doing *d)
{
    return d->s->jobs->run.report;
}

/* The history could not be read or written: without it nothing is sent. */
static void history_failed(struct launch_doing *d, const struct vmcp_error *err)
{
    pthread_mutex_lock(&d->s->lock);
    d->s->history_failures++;
    pthread_mutex_unlock(&d->s->lock);
    launch_say(launch_doing_report(d), "%s: %s: %s [%s]", d->job->name, err->where, err->text,
               vmcp_code_name(err->code));
}

static void count_run(struct launch_doing *d, enum launch_outcome outcome, int attempts)
{
    pthread_mutex_lock(&d->s->lock);
    d->job->runs[outcome]++;
    d->job->attempts += (uint32_t)attempts;
    if (outcome == LAUNCH_OUTCOME_SUCCEEDED)
        d->job->success_ms = launch_doing_now(d);
    pthread_mutex_unlock(&d->s->lock);
}

static void say_run(struct launch_doing *d, int64_t schedule_ms, enum launch_outcome outcome,
                    int attempts, const char *error)
{
    char when[VMCP_INSTANT_CHARS];
    vmcp_instant_text(schedule_ms / 1000, when);
    launch_say(launch_doing_report(d), "%s of %s: %s, %d attempt%s%s%s", d->job->name, when,
               launch_outcome_name(outcome), attempts, attempts == 1 ? "" : "s",
               error[0] ? ": " : "", error);
}

/* A scheduled time at which nothing was sent. */
void launch_doing_record(struct launch_doing *d, enum launch_outcome outcome, const char *why)
{
    struct vmcp_error err = {0};
    struct launch_run_row row = {.schedule_ms = d->task->due_ms,
                                 .serial = d->job->serial,
                                 .started_ms = launch_doing_now(d)};
    bool made = false;
    /* At once: a run that is left open is sent after a crash. */
    row.outcome = outcome;
    row.ended_ms = row.started_ms;
    snprintf(row.error, sizeof(row.error), "%s", why);
    int rc = launch_history_run(d->worker->history, &d->name, &row, &made, &row, &err);
    if (rc == 0 && made)
        rc = launch_history_end_run(d->worker->history, row.id, outcome, launch_doing_now(d), why,
                                    &err);
    if (rc < 0)
        history_failed(d, &err);
    else if (made)
        count_run(d, outcome, 0);
    say_run(d, d->task->due_ms, outcome, 0, why);
}

/* Its past decides what is due now. */
static void look_back(struct launch_doing *d, const struct vmcp_job *job)
{
    struct launch_marks marks;
    struct vmcp_error err = {0};
    int rc = launch_history_marks(d->worker->history, &d->name, &marks, &err);
    if (rc == 0 && !marks.since_ms && job->run_missed)
        rc = launch_history_watch(d->worker->history, &d->name, launch_doing_now(d), &err);
    if (rc < 0) {
        history_failed(d, &err);
        return;
    }
    d->news.since_ms = marks.paused ? 0 : marks.since_ms;
    d->news.open_ms = marks.open_ms;
    pthread_mutex_lock(&d->s->lock);
    d->job->success_ms = marks.success_ms;
    pthread_mutex_unlock(&d->s->lock);
}

/* Between two attempts it was withdrawn. */
static void give_up_held(struct launch_doing *d)
{
    static const char why[] = "the job was withdrawn before its next attempt";
    struct launch_run_row row = {0};
    struct vmcp_error err = {0};
    bool found = false;
    int rc = launch_history_last_run(d->worker->history, &d->name, true, true, &found, &row, &err);
    if (rc == 0 && found)
        rc = launch_history_end_run(d->worker->history, row.id, LAUNCH_OUTCOME_FAILED,
                                    launch_doing_now(d), why, &err);
    if (rc < 0)
        history_failed(d, &err);
    else if (found)
        count_run(d, LAUNCH_OUTCOME_FAILED, 0);
    launch_held_free(d->job->held);
    d->job->held = NULL;
}

static void refresh(struct launch_doing *d)
{
    auto_signed_job struct launch_signed_job fresh = {0};
    auto_state struct launch_state state = LAUNCH_STATE;
    struct launch_held *held = d->job->held;
    if (!held && !launch_doing_open(d, &state))
        return;
    bool good = launch_doing_fetch(d, held ? &held->state : &state, &fresh);
    if (good && d->task->first)
        look_back(d, &fresh.job);
    if (!good && held && d->news.found == LAUNCH_FOUND_REFUSED)
        give_up_held(d);
}

/* Is `due` a time of the schedule that was fetched just now, which may be another one? What was cut
 * off is to be settled in any case. */
static bool is_due(struct launch_doing *d, const struct vmcp_job *job)
{
    struct launch_run_row row = {0};
    struct vmcp_error err = {0};
    bool open = false;
    int64_t at = 0, due = d->task->due_ms / 1000;
    if (vmcp_schedule_next(&job->schedule, d->news.zone, due - 1, &at) && at == due)
        return true;
    int rc = launch_history_last_run(d->worker->history, &d->name, true, true, &open, &row, &err);
    return rc == 0 && open && row.schedule_ms == d->task->due_ms;
}

static int attempts_of(struct launch_doing *d, const struct launch_run_row *row)
{
    struct launch_attempt_row last = {0};
    struct vmcp_error err = {0};
    bool found = false;
    if (launch_history_last_attempt(d->worker->history, row->id, &found, &last, &err) < 0 || !found)
        return 0;
    return last.number;
}

static bool is_stopping(struct launch_doing *d)
{
    pthread_mutex_lock(&d->s->lock);
    bool stopping = d->s->stopping;
    pthread_mutex_unlock(&d->s->lock);
    return stopping;
}

/* Its attempts, as far as they are due. False: there is a pause, and the run goes on behind it. */
static bool go(struct launch_doing *d, const struct launch_signed_job *job,
               const struct launch_when *when)
{
    struct vmcp_error err = {0};
    for (;;) {
        struct launch_step step = {0};
        if (launch_execute_step(d->worker, job, when, &step, &err) < 0) {
            history_failed(d, &err);
            return true;
        }
        if (!step.next_ms) {
            int attempts = attempts_of(d, &step.run);
            count_run(d, step.run.outcome, attempts);
            say_run(d, when->schedule_ms, step.run.outcome, attempts, step.run.error);
            return true;
        }
        int64_t pause = step.next_ms - launch_doing_now(d);
        if (pause > 0 || is_stopping(d)) {
            d->news.found = LAUNCH_FOUND_NOTHING;
            d->news.after_ms = pause > 0 ? pause : 1;
            return false;
        }
    }
}

/* What was called by hand and cut off has a time of its own, and comes first. */
static bool settle_manual(struct launch_doing *d, const struct launch_signed_job *job)
{
    struct launch_run_row row = {0};
    struct vmcp_error err = {0};
    bool found = false;
    if (launch_history_last_run(d->worker->history, &d->name, false, true, &found, &row, &err) <
        0) {
        history_failed(d, &err);
        return true;
    }
    struct launch_when when = {.schedule_ms = row.schedule_ms, .manual = row.manual};
    return !found || !row.manual || go(d, job, &when);
}

static struct launch_held *prepare(struct launch_doing *d, bool *ret_due)
{
    struct launch_held *held = calloc(1, sizeof(*held));
    if (!held) {
        d->news.found = LAUNCH_FOUND_NOTHING;
        return NULL;
    }
    held->state = (struct launch_state)LAUNCH_STATE;
    if (!launch_doing_open(d, &held->state) || !launch_doing_fetch(d, &held->state, &held->job)) {
        launch_held_free(held);
        return NULL;
    }
    *ret_due = is_due(d, &held->job.job);
    return held;
}

static bool is_paused(struct launch_doing *d)
{
    struct vmcp_error err = {0};
    bool paused = false;
    if (launch_history_is_paused(d->worker->history, &d->name, &paused, &err) == 0)
        return paused;
    history_failed(d, &err);
    return true;
}

/* A run that goes on behind a pause has the job that it began with. */
static void take_held(struct launch_doing *d)
{
    struct vmcp_error err = {0};
    const struct vmcp_job *job = &d->job->held->job.job;
    if (launch_zones_find(&d->s->zones, job->time_zone, &d->news.zone, &err) == 0)
        launch_doing_schedule(d, job);
}

static void run(struct launch_doing *d)
{
    struct launch_when when = {.schedule_ms = d->task->due_ms};
    bool due = true;
    if (d->job->held)
        take_held(d);
    else if (!is_paused(d))
        d->job->held = prepare(d, &due);
    struct launch_held *held = d->job->held;
    if (!held || (due && !(settle_manual(d, &held->job) && go(d, &held->job, &when))))
        return;
    launch_held_free(held);
    d->job->held = NULL;
}

void launch_service_work(struct launch_service *service, struct launch_worker *worker,
                         const struct launch_task *task)
{
    struct launch_scheduled_job *job = &service->all[task->job];
    struct launch_doing d = {.s = service,
                             .worker = worker,
                             .task = task,
                             .job = job,
                             .name = {service->jobs->run.domain, job->name},
                             .news = {.found = LAUNCH_FOUND_OVER}};
    if (task->action == LAUNCH_MISSED)
        launch_doing_record(&d, LAUNCH_OUTCOME_MISSED,
                            "nobody ran at that time, and onMissed is skip");
    else if (task->action == LAUNCH_REFRESH)
        refresh(&d);
    else
        run(&d);
    pthread_mutex_lock(&service->lock);
    launch_scheduler_done(service->scheduler, task, &d.news, launch_doing_now(&d));
    pthread_mutex_unlock(&service->lock);
}
