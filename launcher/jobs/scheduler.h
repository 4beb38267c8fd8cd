/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.h - what is to be done for which job, and when. It does nothing by itself, reads no
 * clock and takes no lock: whoever has it says what time it is.
 *
 * A job is refreshed when the scheduler begins, and every `refresh_ms`: the jobs' refreshes are
 * spread evenly over that time. A run is handed out at its scheduled time and a job that is being
 * worked on is handed out a second time only when that is over, so that no job overlaps itself:
 * where scheduled times went by meanwhile, one run follows at once, for the last of them.
 *
 * A scheduled time that is seen LAUNCH_LATE_MS after it has come was missed: nobody was there (the
 * program did not run, the machine slept, the clock went forward). A job with `run_missed` is run
 * once for the last of such times; of another the last is told of as missed. When the clock goes
 * back by LAUNCH_BACK_MS or less, what has run does not run again; where it goes back by more, it
 * was wrong before, and the schedule begins again.
 *
 *     struct launch_task task;
 *     while (launch_scheduler_take(s, now_ms, &task)) {
 *         … find out what `news` are
 *         launch_scheduler_done(s, &task, &news, now_ms);
 *     }
 *     … wait until launch_scheduler_wake_ms(s)
 */
#ifndef LAUNCH_SCHEDULER_H
#define LAUNCH_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agenda.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/schedule.h"
#include "lib/zone.h"

enum {
    LAUNCH_LATE_MS = 60 * 1000,
    LAUNCH_BACK_MS = 3 * 3600 * 1000,
    LAUNCH_FIRST_RATE = 500, /* jobs a second that are asked for at the start, and by refresh_all */
};

struct launch_scheduler;

struct launch_scheduler_rules {
    int64_t refresh_ms;
    int64_t patience_ms; /* how long a run is tried again where the responder cannot be reached */
};

/* All times are milliseconds since 1970. Jobs are numbers, 0 to count-1. launch_scheduler_free().
 */
VMCP_MUST_CHECK int launch_scheduler_new(const struct launch_scheduler_rules *rules, size_t count,
                                         int64_t now_ms, struct launch_scheduler **ret,
                                         struct vmcp_error *err);
void launch_scheduler_free(struct launch_scheduler *scheduler);
#define auto_scheduler VMCP_AUTO(launch_scheduler_auto_)
VMCP_DEFINE_AUTO(launch_scheduler_auto_, struct launch_scheduler *, launch_scheduler_free)

enum launch_action {
    LAUNCH_REFRESH, /* fetch it, and see what it is now */
    LAUNCH_RUN,     /* fetch it and run it */
    LAUNCH_MISSED,  /* note that `due_ms` was missed; there is nothing more to it */
};

struct launch_task {
    size_t job;
    enum launch_action action;
    bool first;     /* REFRESH: nothing is known of its past yet: since_ms, open_ms are wanted */
    int64_t due_ms; /* the scheduled time */
    int64_t give_up_ms; /* RUN: with no answer by then it is over */
};

/* The next thing to do now; false: nothing is. Each that was taken is to be
 * launch_scheduler_done().
 */
bool launch_scheduler_take(struct launch_scheduler *scheduler, int64_t now_ms,
                           struct launch_task *ret);
/* When to look again at the latest; LAUNCH_NEVER: when something is done. */
int64_t launch_scheduler_wake_ms(const struct launch_scheduler *scheduler);

enum launch_found {
    LAUNCH_FOUND,         /* fetched and verified; of a RUN: it has run, to its end */
    LAUNCH_FOUND_REFUSED, /* there is none, or it is not good: it stops until a refresh finds it */
    LAUNCH_FOUND_NOTHING, /* nobody could say, or another process has it: again, soon */
    LAUNCH_FOUND_OVER,    /* this time is over without a run; the job is as it was */
};

struct launch_news {
    enum launch_found found;
    /* FOUND: what it is. The schedule is copied; the zone stands as long as the scheduler, and the
     * same zone is the same pointer. */
    const struct vmcp_schedule *schedule;
    const struct vmcp_zone *zone;
    bool run_missed;
    /* For a task that is `first`, 0 where there is none: times after this one were missed; this run
     * was cut off and is to be settled at once. */
    int64_t since_ms, open_ms;
    int64_t after_ms; /* NOTHING: how long to leave the responder alone; 0: it did not say */
};
void launch_scheduler_done(struct launch_scheduler *scheduler, const struct launch_task *task,
                           const struct launch_news *news, int64_t now_ms);

/* Have all refreshed, at LAUNCH_FIRST_RATE. */
void launch_scheduler_refresh_all(struct launch_scheduler *scheduler, int64_t now_ms);

/* The next scheduled time of a job; 0: none is known. */
int64_t launch_scheduler_next_ms(const struct launch_scheduler *scheduler, size_t job);

#endif
