/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "jobs/scheduler.h"
#include "lib/instant.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

/* A clock that a test sets, a zone, a scheduler. */
struct world {
    int64_t now;
    struct vmcp_zone *zone;
    struct launch_scheduler *s;
    struct launch_news news;
    struct vmcp_schedule schedule;
};

static int64_t at(const char *text)
{
    struct vmcp_error err;
    int64_t seconds = 0;
    assert_good(text, vmcp_instant_parse(text, &seconds, &err), err);
    return seconds * 1000;
}

static void begin(struct world *w, size_t count, const char *now, const char *schedule)
{
    struct vmcp_error err;
    struct launch_scheduler_rules rules = {.refresh_ms = 5 * MINUTE, .patience_ms = MINUTE};
    *w = (struct world){.now = at(now)};
    assert_good("", vmcp_zone_load("UTC", &w->zone, &err), err);
    assert_good("", vmcp_schedule_parse(schedule, &w->schedule, NULL, &err), err);
    assert_good("", launch_scheduler_new(&rules, count, w->now, &w->s, &err), err);
    w->news = (struct launch_news){LAUNCH_FOUND, &w->schedule, w->zone, false, 0, 0, 0};
}

static void end(struct world *w)
{
    launch_scheduler_free(w->s);
    vmcp_zone_free(w->zone);
}

/* Take one task that is due now. */
static struct launch_task take(struct world *w, enum launch_action wanted)
{
    struct launch_task task = {0};
    assert_true(launch_scheduler_take(w->s, w->now, &task));
    assert_int_equal(task.action, wanted);
    return task;
}

static void nothing_due(struct world *w)
{
    struct launch_task task = {0};
    assert_false(launch_scheduler_take(w->s, w->now, &task));
    assert_true(launch_scheduler_wake_ms(w->s) > w->now);
}

static void finish(struct world *w, const struct launch_task *task)
{
    launch_scheduler_done(w->s, task, &w->news, w->now);
}

/* Refreshes that are due are answered at once; the first run after `until` is not reached. */
static bool go_to_run(struct world *w, int64_t until, struct launch_task *ret)
{
    for (int i = 0; i < 100000; i++) {
        int64_t wake = launch_scheduler_wake_ms(w->s);
        if (wake > until) {
            w->now = until;
            return false;
        }
        if (wake > w->now)
            w->now = wake;
        if (!launch_scheduler_take(w->s, w->now, ret))
            continue;
        if (ret->action == LAUNCH_RUN)
            return true;
        finish(w, ret);
    }
    fail_msg("it never ends");
    return false;
}

static void first(struct world *w)
{
    struct launch_task task = take(w, LAUNCH_REFRESH);
    assert_true(task.first);
    finish(w, &task);
    w->news.since_ms = w->news.open_ms = 0;
}

static void runs_on_time(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task;
    begin(&w, 1, "2026-03-01T10:02:30Z", "*/15 * * * *");
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), 0);
    first(&w);
    nothing_due(&w);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-01T10:15:00Z"));
    for (int i = 0; i < 5; i++) {
        int64_t due = at("2026-03-01T10:15:00Z") + i * 15 * MINUTE;
        assert_true(go_to_run(&w, due + MINUTE, &task));
        assert_int_equal(w.now, due);
        assert_int_equal(task.due_ms, due);
        assert_int_equal(task.give_up_ms, due + MINUTE);
        finish(&w, &task);
    }
    end(&w);
}

/* While it runs it is not handed out; what went by is made up for once, by the last of it. */
static void never_overlaps_itself(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task, late;
    begin(&w, 1, "2026-03-01T10:02:30Z", "*/5 * * * *");
    first(&w);
    assert_true(go_to_run(&w, w.now + HOUR, &task));
    w.now = at("2026-03-01T10:09:59Z");
    nothing_due(&w);
    w.now = at("2026-03-01T10:12:00Z");
    nothing_due(&w);
    finish(&w, &task);
    late = take(&w, LAUNCH_RUN);
    assert_int_equal(late.due_ms, at("2026-03-01T10:10:00Z"));
    w.now = at("2026-03-01T10:41:00Z");
    finish(&w, &late);
    late = take(&w, LAUNCH_RUN);
    assert_int_equal(late.due_ms, at("2026-03-01T10:40:00Z"));
    finish(&w, &late);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-01T10:45:00Z"));
    end(&w);
}

/* Each within the time of a refresh, and no two thousand at once. */
static void refreshes_are_spread(void **state)
{
    (void)state;
    enum { JOBS = 10000, SECONDS = 900 };
    static int asked[SECONDS];
    static int64_t last[JOBS];
    struct world w;
    struct launch_task task;
    begin(&w, JOBS, "2026-03-01T10:00:00Z", "0 0 1 1 *");
    memset(asked, 0, sizeof(asked));
    int64_t start = w.now;
    for (; w.now < start + SECONDS * 1000; w.now += 500) {
        while (launch_scheduler_take(w.s, w.now, &task)) {
            assert_int_equal(task.action, LAUNCH_REFRESH);
            assert_true(task.first || w.now - last[task.job] <= 5 * MINUTE + 1500);
            last[task.job] = w.now;
            asked[(w.now - start) / 1000]++;
            finish(&w, &task);
        }
    }
    int total = 0;
    for (int i = 0; i < SECONDS; i++) {
        assert_true(asked[i] <= (i <= JOBS / LAUNCH_FIRST_RATE + 1 ? 2 * LAUNCH_FIRST_RATE : 70));
        total += asked[i];
    }
    assert_in_range(total, 3 * JOBS, 4 * JOBS);
    launch_scheduler_refresh_all(w.s, w.now);
    int64_t wake = launch_scheduler_wake_ms(w.s);
    assert_int_equal(wake, w.now);
    end(&w);
}

/* One that is refused stops; a refresh finds it again, and nothing is made up for. */
static void refused_until_found(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task;
    begin(&w, 1, "2026-03-01T10:02:30Z", "* * * * *");
    w.news.run_missed = true;
    first(&w);
    assert_true(go_to_run(&w, w.now + HOUR, &task));
    w.news.found = LAUNCH_FOUND_REFUSED;
    finish(&w, &task);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), 0);
    w.now += 4 * MINUTE;
    nothing_due(&w);
    w.now += 3 * MINUTE;
    task = take(&w, LAUNCH_REFRESH);
    assert_false(task.first);
    w.news.found = LAUNCH_FOUND;
    finish(&w, &task);
    nothing_due(&w);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), (w.now / MINUTE + 1) * MINUTE);
    end(&w);
}

/* Nobody answers: the same time again and again, until it is given up; then the next. */
static void unreachable(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task;
    int64_t give_up = 0, due = at("2026-03-01T10:10:00Z");
    int tries = 0;
    begin(&w, 1, "2026-03-01T10:02:30Z", "*/10 * * * *");
    first(&w);
    assert_true(go_to_run(&w, w.now + HOUR, &task));
    w.news.found = LAUNCH_FOUND_NOTHING;
    for (; w.now < task.give_up_ms; tries++) {
        assert_true(!give_up || task.give_up_ms == give_up);
        give_up = task.give_up_ms;
        finish(&w, &task);
        assert_int_equal(launch_scheduler_next_ms(w.s, 0), due);
        assert_true(go_to_run(&w, w.now + MINUTE, &task));
        assert_int_equal(task.due_ms, due);
    }
    assert_in_range(tries, 4, 10);
    w.news.found = LAUNCH_FOUND_OVER;
    finish(&w, &task);
    w.news.found = LAUNCH_FOUND;
    assert_true(go_to_run(&w, w.now + HOUR, &task));
    assert_int_equal(task.due_ms, due + 10 * MINUTE);
    w.news.found = LAUNCH_FOUND_NOTHING; /* the responder said how long it wants to be left alone */
    w.news.after_ms = 17000;
    finish(&w, &task);
    assert_int_equal(launch_scheduler_wake_ms(w.s), w.now + 17000);
    end(&w);
}

/* At the start nothing is known: asked again soon, not in five minutes. */
static void unreachable_at_the_start(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1, "2026-03-01T10:02:30Z", "*/10 * * * *");
    w.news.found = LAUNCH_FOUND_NOTHING;
    int64_t start = w.now;
    for (int i = 0; i < 5; i++) {
        struct launch_task task = take(&w, LAUNCH_REFRESH);
        assert_true(task.first);
        finish(&w, &task);
        w.now = launch_scheduler_wake_ms(w.s);
    }
    assert_true(w.now - start < MINUTE);
    w.news.found = LAUNCH_FOUND;
    first(&w);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-01T10:10:00Z"));
    end(&w);
}

/* The program was not there: what the past, which is in the history, asks for. */
static void after_a_downtime(void **state)
{
    (void)state;
    static const struct {
        const char *name, *since, *now;
        bool run_missed;
        const char *run, *missed;
    } rows[] = {
        {"nothing missed", "2026-03-01T10:00:00Z", "2026-03-01T10:59:59Z", true, NULL, NULL},
        {"skip", "2026-03-01T10:00:00Z", "2026-03-01T13:30:00Z", false, NULL,
         "2026-03-01T13:00:00Z"},
        {"once", "2026-03-01T10:00:00Z", "2026-03-01T13:30:00Z", true, "2026-03-01T13:00:00Z",
         NULL},
        {"a year", "2025-03-01T10:00:00Z", "2026-03-01T13:30:00Z", true, "2026-03-01T13:00:00Z",
         NULL},
        {"a restart is no downtime", "2026-03-01T12:00:00Z", "2026-03-01T13:00:20Z", false,
         "2026-03-01T13:00:00Z", NULL},
        {"never ran", NULL, "2026-03-01T13:30:00Z", true, NULL, NULL},
        {"its past is ahead", "2026-03-01T14:00:00Z", "2026-03-01T13:30:00Z", true, NULL, NULL},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct world w;
        struct launch_task task = {0};
        begin(&w, 1, rows[i].now, "0 * * * *");
        w.news.since_ms = rows[i].since ? at(rows[i].since) : 0;
        w.news.run_missed = rows[i].run_missed;
        first(&w);
        bool any = launch_scheduler_take(w.s, w.now, &task);
        const char *wanted = rows[i].run ? rows[i].run : rows[i].missed;
        assert_row(rows[i].name, any == (wanted != NULL));
        if (any) {
            assert_row(rows[i].name, task.due_ms == at(wanted));
            assert_row(rows[i].name, task.action == (rows[i].run ? LAUNCH_RUN : LAUNCH_MISSED));
            finish(&w, &task);
        }
        nothing_due(&w);
        assert_row(rows[i].name, launch_scheduler_next_ms(w.s, 0) == (w.now / HOUR + 1) * HOUR);
        end(&w);
    }
}

/* A run that was cut off comes first; what was missed since is another matter. */
static void settles_what_was_cut_off(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        struct world w;
        begin(&w, 1, "2026-03-01T13:30:00Z", "0 * * * *");
        w.news.since_ms = w.news.open_ms = at("2026-03-01T10:00:00Z");
        w.news.run_missed = once;
        first(&w);
        struct launch_task task = take(&w, LAUNCH_RUN);
        assert_int_equal(task.due_ms, at("2026-03-01T10:00:00Z"));
        finish(&w, &task);
        task = take(&w, once ? LAUNCH_RUN : LAUNCH_MISSED);
        assert_int_equal(task.due_ms, at("2026-03-01T13:00:00Z"));
        finish(&w, &task);
        nothing_due(&w);
        end(&w);
    }
}

/* Forward is a downtime; what is on time stays so. */
static void the_clock_goes_forward(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        struct world w;
        begin(&w, 1, "2026-03-01T10:02:30Z", "0 * * * *");
        w.news.run_missed = once;
        first(&w);
        w.now = at("2026-03-02T09:20:00Z");
        struct launch_task task = take(&w, once ? LAUNCH_RUN : LAUNCH_MISSED);
        assert_int_equal(task.due_ms, at("2026-03-02T09:00:00Z"));
        finish(&w, &task);
        assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-02T10:00:00Z"));
        w.now = at("2026-03-02T10:00:30Z"); /* by less than what counts as late */
        task = take(&w, LAUNCH_RUN);
        assert_int_equal(task.due_ms, at("2026-03-02T10:00:00Z"));
        end(&w);
    }
}

static void the_clock_goes_back(void **state)
{
    (void)state;
    static const struct {
        const char *name, *to, *next;
    } rows[] = {
        {"steered", "2026-03-01T10:59:59Z", "2026-03-01T12:00:00Z"},
        {"a correction: 11:00 has run", "2026-03-01T10:30:00Z", "2026-03-01T12:00:00Z"},
        {"it was wrong before", "2016-03-01T10:30:00Z", "2016-03-01T11:00:00Z"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct world w;
        struct launch_task task;
        begin(&w, 1, "2026-03-01T10:02:30Z", "0 * * * *");
        first(&w);
        assert_true(go_to_run(&w, w.now + HOUR, &task));
        assert_int_equal(task.due_ms, at("2026-03-01T11:00:00Z"));
        finish(&w, &task);
        w.now = i == 0 ? w.now - 500 : at(rows[i].to);
        nothing_due(&w);
        assert_row(rows[i].name, launch_scheduler_next_ms(w.s, 0) == at(rows[i].next));
        assert_row(rows[i].name, launch_scheduler_wake_ms(w.s) <= w.now + 5 * MINUTE + 1000);
        assert_row(rows[i].name, go_to_run(&w, at(rows[i].next) + HOUR, &task));
        assert_row(rows[i].name, task.due_ms == at(rows[i].next) && w.now == task.due_ms);
        end(&w);
    }
}

/* The clock went back by years while it ran. */
static void the_clock_goes_back_in_a_run(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task;
    begin(&w, 1, "2099-03-01T10:02:30Z", "0 * * * *");
    first(&w);
    assert_true(go_to_run(&w, w.now + HOUR, &task));
    w.now = at("2026-03-01T10:30:00Z");
    nothing_due(&w);
    finish(&w, &task);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-01T11:00:00Z"));
    end(&w);
}

/* Another schedule counts from the refresh that brought it on. */
static void the_schedule_changes(void **state)
{
    (void)state;
    struct world w;
    struct launch_task task;
    struct vmcp_error err;
    begin(&w, 1, "2026-03-01T10:02:30Z", "0 * * * *");
    first(&w);
    assert_good("", vmcp_schedule_parse("30 * * * *", &w.schedule, NULL, &err), err);
    assert_true(go_to_run(&w, at("2026-03-01T12:00:00Z"), &task));
    assert_int_equal(task.due_ms, at("2026-03-01T10:30:00Z"));
    /* what was to be run is no time of the schedule that came with it */
    assert_good("", vmcp_schedule_parse("45 * * * *", &w.schedule, NULL, &err), err);
    w.now = at("2026-03-01T11:50:00Z");
    finish(&w, &task);
    assert_int_equal(launch_scheduler_next_ms(w.s, 0), at("2026-03-01T12:45:00Z"));
    end(&w);
}

/* A refresh that took long is no reason to say that a run was missed. */
static void due_while_it_was_refreshed(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1, "2026-03-01T10:58:00Z", "0 * * * *");
    first(&w);
    w.now = launch_scheduler_wake_ms(w.s);
    launch_scheduler_refresh_all(w.s, w.now - MINUTE);
    struct launch_task task = {0};
    w.now = at("2026-03-01T10:59:30Z");
    task = take(&w, LAUNCH_REFRESH);
    w.now = at("2026-03-01T11:05:00Z");
    nothing_due(&w);
    finish(&w, &task);
    task = take(&w, LAUNCH_RUN);
    assert_int_equal(task.due_ms, at("2026-03-01T11:00:00Z"));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_on_time),
        cmocka_unit_test(never_overlaps_itself),
        cmocka_unit_test(refreshes_are_spread),
        cmocka_unit_test(refused_until_found),
        cmocka_unit_test(unreachable),
        cmocka_unit_test(unreachable_at_the_start),
        cmocka_unit_test(after_a_downtime),
        cmocka_unit_test(settles_what_was_cut_off),
        cmocka_unit_test(the_clock_goes_forward),
        cmocka_unit_test(the_clock_goes_back),
        cmocka_unit_test(the_clock_goes_back_in_a_run),
        cmocka_unit_test(the_schedule_changes),
        cmocka_unit_test(due_while_it_was_refreshed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
