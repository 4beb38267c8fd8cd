/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread of the service does with a task. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lib/instant.h"
#include "lib/json.h"
#include "service.h"

enum { BUSY_PAUSE_MS = 5000 };

/* One task, while it is done. */
struct doing {
    struct launch_service *s;
    struct launch_worker *worker;
    const struct launch_task *task;
    struct launch_scheduled_job *job;
    struct launch_job_name name;
    struct launch_news news;
    struct vmcp_schedule schedule; /* of the news */
};

void launch_held_free(struct launch_held *held)
{
    if (!held)
        return;
    launch_signed_job_clear(&held->job);
    launch_state_close(&held->state);
    free(held);
}

static int64_t now_of(struct doing *d)
{
    return d->s->jobs->now_ms(d->s->jobs->clock_arg);
}

static const struct launch_report *report_of(struct doing *d)
{
    return d->s->jobs->run.report;
}

/* The history could not be read or written: without it nothing is sent. */
static void history_failed(struct doing *d, const struct vmcp_error *err)
{
    pthread_mutex_lock(&d->s->lock);
    d->s->history_failures++;
    pthread_mutex_unlock(&d->s->lock);
    launch_say(report_of(d), "%s: %s: %s [%s]", d->job->name, err->where, err->text,
               vmcp_code_name(err->code));
}

static void count_run(struct doing *d, enum launch_outcome outcome, int attempts)
{
    pthread_mutex_lock(&d->s->lock);
    d->job->runs[outcome]++;
    d->job->attempts += (uint32_t)attempts;
    if (outcome == LAUNCH_OUTCOME_SUCCEEDED)
        d->job->success_ms = now_of(d);
    pthread_mutex_unlock(&d->s->lock);
}

static void say_run(struct doing *d, int64_t schedule_ms, enum launch_outcome outcome, int attempts,
                    const char *error)
{
    char when[VMCP_INSTANT_CHARS];
    vmcp_instant_text(schedule_ms / 1000, when);
    launch_say(report_of(d), "%s of %s: %s, %d attempt%s%s%s", d->job->name, when,
               launch_outcome_name(outcome), attempts, attempts == 1 ? "" : "s",
               error[0] ? ": " : "", error);
}

/* A scheduled time at which nothing was sent. */
static void record(struct doing *d, enum launch_outcome outcome, const char *why)
{
    struct vmcp_error err = {0};
    struct launch_run_row row = {
        .schedule_ms = d->task->due_ms, .serial = d->job->serial, .started_ms = now_of(d)};
    bool made = false;
    /* At once: a run that is left open is sent after a crash. */
    row.outcome = outcome;
    row.ended_ms = row.started_ms;
    snprintf(row.error, sizeof(row.error), "%s", why);
    int rc = launch_history_run(d->worker->history, &d->name, &row, &made, &row, &err);
    if (rc == 0 && made)
        rc = launch_history_end_run(d->worker->history, row.id, outcome, now_of(d), why, &err);
    if (rc < 0)
        history_failed(d, &err);
    else if (made)
        count_run(d, outcome, 0);
    say_run(d, d->task->due_ms, outcome, 0, why);
}

static void hear(struct doing *d, bool deaf, const char *why)
{
    pthread_mutex_lock(&d->s->lock);
    bool was = d->s->deaf;
    d->s->deaf = deaf;
    pthread_mutex_unlock(&d->s->lock);
    if (deaf && !was)
        launch_say(report_of(d), "the responder does not answer: %s", why);
    else if (!deaf && was)
        launch_say(report_of(d), "the responder answers again");
}

/* It stops, until a refresh finds it good. */
static void refused(struct doing *d, const struct vmcp_error *why)
{
    char text[LAUNCH_WHY_MAX];
    snprintf(text, sizeof(text), "%.300s [%s]", why->text, vmcp_code_name(why->code));
    pthread_mutex_lock(&d->s->lock);
    bool was = d->job->stopped;
    d->job->stopped = true;
    d->s->refusals[why->code]++;
    pthread_mutex_unlock(&d->s->lock);
    free(d->job->kept);
    d->job->kept = NULL;
    if (!was)
        launch_say(report_of(d), "%s is stopped: %s", d->job->name, text);
    if (d->task->action == LAUNCH_RUN)
        record(d, LAUNCH_OUTCOME_REFUSED, text);
    d->news.found = LAUNCH_FOUND_REFUSED;
}

static void note_schedule(struct doing *d, const struct vmcp_job *job)
{
    d->schedule = job->schedule;
    d->news.found = LAUNCH_FOUND;
    d->news.schedule = &d->schedule;
    d->news.run_missed = job->run_missed;
}

/* What the scheduler wants to know, and what a responder that is gone may be replaced by. */
static int take_note(struct doing *d, const struct launch_signed_job *job, bool fresh,
                     struct vmcp_error *err)
{
    int rc = launch_zones_find(&d->s->zones, job->job.time_zone, &d->news.zone, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->s->lock);
    bool again = d->job->stopped;
    d->job->known = true;
    d->job->stopped = false;
    d->job->serial = job->answer.serial;
    pthread_mutex_unlock(&d->s->lock);
    if (again)
        launch_say(report_of(d), "%s is good again, serial %" PRId64, job->name,
                   job->answer.serial);
    if (fresh && d->s->offline_grace_ms) {
        free(d->job->kept);
        d->job->kept = json_dumps(job->answer.job, JSON_COMPACT);
        d->job->verified_ms = launch_uptime_ms();
    }
    note_schedule(d, &job->job);
    return 0;
}

/* The last verified one, within the grace. */
static int use_kept(struct doing *d, struct launch_signed_job *ret, struct vmcp_error *err)
{
    struct launch_scheduled_job *job = d->job;
    if (!job->kept || launch_uptime_ms() - job->verified_ms > d->s->offline_grace_ms)
        return vmcp_fail(err, VMCP_E_NETWORK, "no job that was verified of late");
    snprintf(ret->name, sizeof(ret->name), "%s", job->name);
    snprintf(ret->answer.machine, sizeof(ret->answer.machine), "%s", job->name);
    snprintf(ret->answer.domain, sizeof(ret->answer.domain), "%s", d->name.domain);
    ret->answer.kind = VMCP_KIND_JOB;
    ret->answer.serial = job->serial;
    int rc = vmcp_json_parse(job->kept, strlen(job->kept), &ret->answer.job, err);
    return rc < 0 ? rc : vmcp_job_read(ret->answer.job, "", NULL, &ret->job, err);
}

static void unreachable(struct doing *d, const struct http_retry *retry,
                        const struct vmcp_error *why)
{
    hear(d, true, why->text);
    d->news.found = LAUNCH_FOUND_NOTHING;
    d->news.after_ms = retry->after > 0 ? retry->after * INT64_C(1000) : 0;
    if (d->task->action != LAUNCH_RUN || now_of(d) < d->task->give_up_ms)
        return;
    char text[LAUNCH_WHY_MAX];
    snprintf(text, sizeof(text), "the responder could not be asked: %.280s", why->text);
    record(d, LAUNCH_OUTCOME_REFUSED, text);
    d->news.found = LAUNCH_FOUND_OVER;
}

/* Fetch the job into *ret. False: d->news says why not. */
static bool fetch(struct doing *d, struct launch_state *state, struct launch_signed_job *ret)
{
    struct http_retry retry = {0};
    struct vmcp_error err = {0};
    bool fresh = true;
    int rc = launch_worker_fetch(d->worker, state, d->job->name, ret, &retry, &err);
    if (rc == 0)
        hear(d, false, "");
    if (rc < 0 && retry.can) {
        struct vmcp_error none = {0};
        fresh = false;
        if (d->task->action != LAUNCH_RUN || use_kept(d, ret, &none) < 0) {
            unreachable(d, &retry, &err);
            return false;
        }
        hear(d, true, err.text);
        launch_say(report_of(d), "%s runs as it was verified %lld s ago", d->job->name,
                   (long long)(launch_uptime_ms() - d->job->verified_ms) / 1000);
        rc = 0;
    }
    if (rc == 0)
        rc = take_note(d, ret, fresh, &err);
    if (rc == 0)
        return true;
    hear(d, false, "");
    refused(d, &err);
    return false;
}

static bool open_state(struct doing *d, struct launch_state *ret)
{
    const struct launch_run *run = &d->s->jobs->run;
    struct vmcp_error err = {0};
    int rc = launch_state_open_job(run->dir, run->domain, d->job->name, true, ret, &err);
    if (rc == 0)
        return true;
    if (rc != -VMCP_E_STATE_BUSY) {
        refused(d, &err);
        return false;
    }
    d->news.found = LAUNCH_FOUND_NOTHING; /* run-job has it: it delays the schedule */
    d->news.after_ms = BUSY_PAUSE_MS;
    return false;
}

/* Its past decides what is due now. */
static void look_back(struct doing *d, const struct vmcp_job *job)
{
    struct launch_marks marks;
    struct vmcp_error err = {0};
    int rc = launch_history_marks(d->worker->history, &d->name, &marks, &err);
    if (rc == 0 && !marks.since_ms && job->run_missed)
        rc = launch_history_watch(d->worker->history, &d->name, now_of(d), &err);
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
static void give_up_held(struct doing *d)
{
    static const char why[] = "the job was withdrawn before its next attempt";
    struct launch_run_row row = {0};
    struct vmcp_error err = {0};
    bool found = false;
    int rc = launch_history_last_run(d->worker->history, &d->name, true, true, &found, &row, &err);
    if (rc == 0 && found)
        rc = launch_history_end_run(d->worker->history, row.id, LAUNCH_OUTCOME_FAILED, now_of(d),
                                    why, &err);
    if (rc < 0)
        history_failed(d, &err);
    else if (found)
        count_run(d, LAUNCH_OUTCOME_FAILED, 0);
    launch_held_free(d->job->held);
    d->job->held = NULL;
}

static void refresh(struct doing *d)
{
    auto_signed_job struct launch_signed_job fresh = {0};
    auto_state struct launch_state state = LAUNCH_STATE;
    struct launch_held *held = d->job->held;
    if (!held && !open_state(d, &state))
        return;
    bool good = fetch(d, held ? &held->state : &state, &fresh);
    if (good && d->task->first)
        look_back(d, &fresh.job);
    if (!good && held && d->news.found == LAUNCH_FOUND_REFUSED)
        give_up_held(d);
}

/* Is `due` a time of the schedule that was fetched just now, which may be another one? What was cut
 * off is to be settled in any case. */
static bool is_due(struct doing *d, const struct vmcp_job *job)
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

static int attempts_of(struct doing *d, const struct launch_run_row *row)
{
    struct launch_attempt_row last = {0};
    struct vmcp_error err = {0};
    bool found = false;
    if (launch_history_last_attempt(d->worker->history, row->id, &found, &last, &err) < 0 || !found)
        return 0;
    return last.number;
}

static bool is_stopping(struct doing *d)
{
    pthread_mutex_lock(&d->s->lock);
    bool stopping = d->s->stopping;
    pthread_mutex_unlock(&d->s->lock);
    return stopping;
}

/* Its attempts, as far as they are due. False: there is a pause, and the run goes on behind it. */
static bool go(struct doing *d, const struct launch_signed_job *job, const struct launch_when *when)
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
        int64_t pause = step.next_ms - now_of(d);
        if (pause > 0 || is_stopping(d)) {
            d->news.found = LAUNCH_FOUND_NOTHING;
            d->news.after_ms = pause > 0 ? pause : 1;
            return false;
        }
    }
}

/* What was called by hand and cut off has a time of its own, and comes first. */
static bool settle_manual(struct doing *d, const struct launch_signed_job *job)
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

static struct launch_held *prepare(struct doing *d, bool *ret_due)
{
    struct launch_held *held = calloc(1, sizeof(*held));
    if (!held) {
        d->news.found = LAUNCH_FOUND_NOTHING;
        return NULL;
    }
    held->state = (struct launch_state)LAUNCH_STATE;
    if (!open_state(d, &held->state) || !fetch(d, &held->state, &held->job)) {
        launch_held_free(held);
        return NULL;
    }
    *ret_due = is_due(d, &held->job.job);
    return held;
}

static bool is_paused(struct doing *d)
{
    struct vmcp_error err = {0};
    bool paused = false;
    if (launch_history_is_paused(d->worker->history, &d->name, &paused, &err) == 0)
        return paused;
    history_failed(d, &err);
    return true;
}

/* A run that goes on behind a pause has the job that it began with. */
static void take_held(struct doing *d)
{
    struct vmcp_error err = {0};
    const struct vmcp_job *job = &d->job->held->job.job;
    if (launch_zones_find(&d->s->zones, job->time_zone, &d->news.zone, &err) == 0)
        note_schedule(d, job);
}

static void run(struct doing *d)
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
    struct doing d = {.s = service,
                      .worker = worker,
                      .task = task,
                      .job = job,
                      .name = {service->jobs->run.domain, job->name},
                      .news = {.found = LAUNCH_FOUND_OVER}};
    if (task->action == LAUNCH_MISSED)
        record(&d, LAUNCH_OUTCOME_MISSED, "nobody ran at that time, and onMissed is skip");
    else if (task->action == LAUNCH_REFRESH)
        refresh(&d);
    else
        run(&d);
    pthread_mutex_lock(&service->lock);
    launch_scheduler_done(service->scheduler, task, &d.news, now_of(&d));
    pthread_mutex_unlock(&service->lock);
}
