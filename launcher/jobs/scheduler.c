/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler.h"

#include <stdlib.h>

enum {
    JUMP_MS = 1000, /* a clock that is steered goes back by less */
    PAUSE_MS = 1000,
    TRIES_MAX = 20, /* counted no further */
    RUN_PAUSE_MAX_MS = 30 * 1000,
};

/* One job: small, because there may be very many. */
struct entry {
    struct vmcp_schedule schedule;
    const struct vmcp_zone *zone; /* NULL: the schedule is not known, or it was refused */
    int64_t due_ms;               /* its next scheduled time; LAUNCH_NEVER: none */
    int64_t run_at_ms;            /* when that is to be begun: then, or later */
    int64_t last_ms;              /* the last scheduled time that was handed out; 0: none */
    int64_t give_up_ms, refresh_ms;
    int64_t missed_ms; /* to be told of; 0: nothing is */
    uint8_t tries;     /* that found nobody, one after the other */
    bool busy;         /* handed out */
    bool started;      /* its past is known */
    bool late;         /* its time went by for a reason that is known: it was not missed */
    bool settles;      /* the run that is due was cut off */
    bool run_missed;
};

struct launch_scheduler {
    struct launch_scheduler_rules rules;
    struct entry *entries;
    size_t count;
    int64_t began_ms, now_ms;
    struct launch_agenda agenda;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool next_of(const struct entry *e, int64_t after_ms, int64_t *ret_ms)
{
    int64_t at = 0;
    if (!vmcp_schedule_next(&e->schedule, e->zone, after_ms / 1000, &at))
        return false;
    *ret_ms = at * 1000;
    return true;
}

/* The last scheduled time behind `from` that has come; false: none has. From near to far, since a
 * year of minutes may have gone by. */
static bool last_until(const struct entry *e, int64_t from_ms, int64_t now_ms, int64_t *ret_ms)
{
    int64_t at = 0, next = 0;
    for (int64_t back = LAUNCH_LATE_MS;; back *= 2) {
        int64_t base = now_ms - from_ms > back ? now_ms - back : from_ms;
        if (next_of(e, base, &at) && at <= now_ms)
            break;
        if (base == from_ms)
            return false;
    }
    while (next_of(e, at, &next) && next <= now_ms)
        at = next;
    *ret_ms = at;
    return true;
}

static void set_due(struct entry *e, int64_t due_ms, bool late)
{
    e->due_ms = e->run_at_ms = due_ms;
    e->late = late;
    e->tries = 0;
}

/* The first scheduled time from now on, but none that has had its turn. */
static void go_on(struct entry *e, int64_t now_ms)
{
    int64_t base = now_ms, due = LAUNCH_NEVER;
    if (e->last_ms > now_ms && e->last_ms - now_ms <= LAUNCH_BACK_MS)
        base = e->last_ms;
    set_due(e, next_of(e, base, &due) ? due : LAUNCH_NEVER, false);
}

/* Its times from `from` on went by while it ran: one run makes up for them. */
static void go_on_late(struct entry *e, int64_t from_ms, int64_t now_ms)
{
    int64_t due = 0;
    if (last_until(e, from_ms, now_ms, &due))
        set_due(e, due, true);
    else
        go_on(e, now_ms);
}

/* Nobody was there since `from`. */
static void go_on_after_absence(struct entry *e, int64_t from_ms, int64_t now_ms)
{
    int64_t last = 0;
    if (from_ms <= 0 || !last_until(e, from_ms, now_ms, &last)) {
        go_on(e, now_ms);
    } else if (e->run_missed || now_ms - last <= LAUNCH_LATE_MS) {
        set_due(e, last, true);
    } else {
        e->missed_ms = last;
        go_on(e, now_ms);
    }
}

/* The job's own place in each stretch of refresh_ms: on a full second, so that those of one second
 * are done one after the other, which costs less than to wake up for each. */
static int64_t refresh_after(const struct launch_scheduler *s, size_t job, int64_t now_ms)
{
    int64_t every = s->rules.refresh_ms;
    int64_t place = s->began_ms + every * (int64_t)job / (int64_t)s->count;
    int64_t gone = (now_ms - place) % every;
    int64_t at = now_ms + every - (gone < 0 ? gone + every : gone);
    return (at + 999) / 1000 * 1000;
}

static void put(struct launch_scheduler *s, size_t job)
{
    const struct entry *e = &s->entries[job];
    int64_t at = e->missed_ms ? 0 : least(e->refresh_ms, e->zone ? e->run_at_ms : LAUNCH_NEVER);
    launch_agenda_set(&s->agenda, job, e->busy ? LAUNCH_NEVER : at);
}

void launch_scheduler_refresh_all(struct launch_scheduler *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++) {
        s->entries[i].refresh_ms = now_ms + (int64_t)i * 1000 / LAUNCH_FIRST_RATE;
        put(s, i);
    }
}

int launch_scheduler_new(const struct launch_scheduler_rules *rules, size_t count, int64_t now_ms,
                         struct launch_scheduler **ret, struct vmcp_error *err)
{
    auto_scheduler struct launch_scheduler *s = calloc(1, sizeof(*s));
    if (!s)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for jobs");
    s->rules = *rules;
    s->count = count;
    s->began_ms = s->now_ms = now_ms;
    s->entries = calloc(count ? count : 1, sizeof(*s->entries));
    int rc = launch_agenda_init(&s->agenda, count, err);
    if (rc < 0)
        return rc;
    if (!s->entries)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %zu jobs", count);
    for (size_t i = 0; i < count; i++)
        set_due(&s->entries[i], LAUNCH_NEVER, false);
    launch_scheduler_refresh_all(s, now_ms);
    *ret = steal(&s);
    return 0;
}

void launch_scheduler_free(struct launch_scheduler *s)
{
    if (!s)
        return;
    launch_agenda_clear(&s->agenda);
    free(s->entries);
    free(s);
}

/* The clock went back: what was computed of a time that is gone is computed again. */
static void turn_back(struct launch_scheduler *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++) {
        struct entry *e = &s->entries[i];
        e->refresh_ms = least(e->refresh_ms, refresh_after(s, i, now_ms));
        if (e->zone && e->due_ms > now_ms)
            go_on(e, now_ms);
        e->run_at_ms = e->due_ms > now_ms ? e->due_ms : least(e->run_at_ms, now_ms);
        put(s, i);
    }
}

static enum launch_action choose(struct entry *e, int64_t now_ms)
{
    bool runs = e->zone && e->run_at_ms <= now_ms;
    if (runs && !e->late && !e->tries && now_ms - e->due_ms > LAUNCH_LATE_MS) {
        go_on_after_absence(e, e->due_ms - 1000, now_ms);
        runs = e->run_at_ms <= now_ms;
    }
    return e->missed_ms ? LAUNCH_MISSED : runs ? LAUNCH_RUN : LAUNCH_REFRESH;
}

bool launch_scheduler_take(struct launch_scheduler *s, int64_t now_ms, struct launch_task *ret)
{
    size_t job = 0;
    if (now_ms + JUMP_MS < s->now_ms)
        turn_back(s, now_ms);
    s->now_ms = now_ms;
    if (launch_agenda_first(&s->agenda, &job) > now_ms)
        return false;
    struct entry *e = &s->entries[job];
    *ret = (struct launch_task){.job = job, .action = choose(e, now_ms), .due_ms = e->due_ms};
    if (ret->action == LAUNCH_MISSED) {
        ret->due_ms = e->missed_ms;
        e->missed_ms = 0;
    } else if (ret->action == LAUNCH_RUN) {
        if (!e->tries)
            e->give_up_ms = now_ms + s->rules.patience_ms;
        ret->give_up_ms = e->give_up_ms;
        e->last_ms = e->due_ms;
    } else {
        ret->first = !e->started;
    }
    e->busy = true;
    put(s, job);
    return true;
}

int64_t launch_scheduler_wake_ms(const struct launch_scheduler *s)
{
    return launch_agenda_first(&s->agenda, NULL);
}

static void first_found(struct entry *e, const struct launch_news *news, int64_t now_ms)
{
    e->started = true;
    if (news->open_ms) {
        set_due(e, news->open_ms, true);
        e->settles = true;
    } else {
        go_on_after_absence(e, news->since_ms, now_ms);
    }
}

static bool same_schedule(const struct vmcp_schedule *a, const struct vmcp_schedule *b)
{
    return a->every == b->every && a->minutes == b->minutes && a->hours == b->hours &&
           a->days == b->days && a->months == b->months && a->weekdays == b->weekdays &&
           a->any_day == b->any_day && a->any_weekday == b->any_weekday && a->fixed == b->fixed;
}

static void found(struct entry *e, const struct launch_task *task, const struct launch_news *news,
                  int64_t now_ms)
{
    bool changed = e->zone != news->zone || !same_schedule(&e->schedule, news->schedule);
    bool settled = task->action == LAUNCH_RUN && e->settles;
    e->schedule = *news->schedule;
    e->zone = news->zone;
    e->run_missed = news->run_missed;
    if (settled)
        e->settles = false;
    /* A time that lies further ahead than that was a wrong clock's. */
    int64_t from = task->due_ms - now_ms > LAUNCH_BACK_MS ? now_ms : task->due_ms;
    if (!e->started)
        first_found(e, news, now_ms);
    else if (settled)
        go_on_after_absence(e, from, now_ms);
    else if (changed)
        go_on(e, now_ms);
    else if (task->action == LAUNCH_RUN)
        go_on_late(e, from, now_ms);
    else if (e->due_ms <= now_ms)
        e->late = true;
}

static uint8_t next_try(const struct entry *e)
{
    return e->tries < TRIES_MAX ? (uint8_t)(e->tries + 1) : TRIES_MAX;
}

/* Soon again, with pauses that grow; a refresh can wait for its next turn where all is known. */
static void found_nothing(struct launch_scheduler *s, const struct launch_task *task,
                          const struct launch_news *news, int64_t now_ms)
{
    struct entry *e = &s->entries[task->job];
    int64_t pause = (int64_t)PAUSE_MS << (e->tries < TRIES_MAX ? e->tries : TRIES_MAX);
    int64_t after = news->after_ms;
    if (task->action == LAUNCH_RUN) {
        e->run_at_ms = now_ms + (after > 0 ? after : least(pause, RUN_PAUSE_MAX_MS));
        e->tries = next_try(e);
    } else if (!e->started) {
        e->refresh_ms = now_ms + (after > 0 ? after : least(pause, s->rules.refresh_ms));
        e->tries = next_try(e);
    }
}

void launch_scheduler_done(struct launch_scheduler *s, const struct launch_task *task,
                           const struct launch_news *news, int64_t now_ms)
{
    struct entry *e = &s->entries[task->job];
    e->busy = false;
    if (task->action != LAUNCH_MISSED) {
        e->refresh_ms = refresh_after(s, task->job, now_ms);
        if (news->found == LAUNCH_FOUND) {
            found(e, task, news, now_ms);
        } else if (news->found == LAUNCH_FOUND_REFUSED) {
            e->zone = NULL;
            set_due(e, LAUNCH_NEVER, false);
        } else if (news->found == LAUNCH_FOUND_NOTHING) {
            found_nothing(s, task, news, now_ms);
        } else if (e->zone) {
            e->settles = false;
            go_on(e, now_ms);
        }
    }
    put(s, task->job);
}

int64_t launch_scheduler_next_ms(const struct launch_scheduler *s, size_t job)
{
    const struct entry *e = &s->entries[job];
    return e->zone && e->due_ms != LAUNCH_NEVER ? e->due_ms : 0;
}
