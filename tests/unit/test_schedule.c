/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <time.h>

#include "lib/instant.h"
#include "lib/schedule.h"

/* The faults, and the byte at which each is. */
static void what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } rows[] = {
        {"", 0, "the minute is missing"},
        {"   ", 3, "the minute is missing"},
        {"* * * *", 7, "the weekday is missing"},
        {"* * * * * *", 10, "a sixth field"},
        {"60 * * * *", 0, "a minute is 0 to 59"},
        {"* 24 * * *", 2, "an hour is 0 to 23"},
        {"* * 0 * *", 4, "a day of the month is 1 to 31"},
        {"* * 32 * *", 4, "a day of the month is 1 to 31"},
        {"* * * 13 *", 6, "a month is 1 to 12"},
        {"* * * * 8", 8, "a weekday is 0 to 7"},
        {"99999999999999999999 * * * *", 0, "a minute is"},
        {"* * * FOO *", 6, "FOO is no month"},
        {"* * * JANUARY *", 6, "JANUARY is no month"},
        {"* * * * MUN", 8, "MUN is no weekday"},
        {"MON * * * *", 0, "the minute cannot be read"},
        {"1, * * * *", 2, "incomplete"},
        {"1- * * * *", 2, "incomplete"},
        {",1 * * * *", 0, "cannot be read"},
        {"1,,2 * * * *", 2, "cannot be read"},
        {"5-1 * * * *", 0, "backwards"},
        {"0,9-3 * * * *", 2, "backwards"},
        {"5/2 * * * *", 1, "a step follows a range"},
        {"*/0 * * * *", 2, "a step of the minute is 1 to 59"},
        {"*/ * * * *", 2, "incomplete"},
        {"*5 * * * *", 1, "cannot be read"},
        {"1x * * * *", 1, "cannot be read"},
        {"-1 * * * *", 0, "cannot be read"},
        {"? * * * *", 0, "another cron's"},
        {"* * L * *", 4, "another cron's"},
        {"* * * * 5#2", 9, "another cron's"},
        {"* * 30 2 *", 4, "never"},
        {"* * 31 FEB,APR,JUN,SEP,NOV *", 4, "never"},
        {"* * 30 2 */2", 4, "never"},
        {"@daily", 0, "written 0 0 * * *"},
        {"@reboot", 0, "words with @"},
        {"every", 5, "followed by a number"},
        {"every day", 6, "followed by a number"},
        {"every 5", 7, "minutes or hours"},
        {"every 5 days", 8, "minutes or hours"},
        {"every 0 minutes", 6, "1 minute to 744 hours"},
        {"every 745 hours", 6, "1 minute to 744 hours"},
        {"every 999999999999 minutes", 6, "1 minute to 744 hours"},
        {"every 5 minutes from 9:00", 16, "nothing may follow"},
        {"everyday", 0, "cannot be read"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_schedule s;
        struct vmcp_error err;
        size_t at = 999;
        assert_code(rows[i].text, vmcp_schedule_parse(rows[i].text, &s, &at, &err), err,
                    VMCP_E_USAGE);
        if (!strstr(err.text, rows[i].says) || at != rows[i].at)
            print_error("%s: at %zu: %s\n", rows[i].text, at, err.text);
        assert_row(rows[i].text, strstr(err.text, rows[i].says));
        assert_row(rows[i].text, at == rows[i].at);
    }
}

/* Different spellings of one schedule. */
static void spellings(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"*/15 * * * *", "0-59/15 * * * *"},
        {"0 0 * JAN,feb,Mar *", "0 0 * 1-3 *"},
        {"0 0 * * SUN", "0 0 * * 7"},
        {"0 0 * * 0", "0 0 * * 7"},
        {"0 0 * * 5-7", "0 0 * * FRI-SUN"},
        {"0 0 * * 0,5,6", "0 0 * * FRI-SUN"},
        {"0 0 * * MON-FRI", " 0\t0  * * 1,2,3,4,5 "},
        {"0,30 8 * * *", "30,0 8 * * *"},
        {"every 60 minutes", "every 1 hour"},
        {"EVERY 2 Hours", "every 120 mins"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_schedule a, b;
        struct vmcp_error err;
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        assert_good(rows[i][0], vmcp_schedule_parse(rows[i][0], &a, NULL, &err), err);
        assert_good(rows[i][1], vmcp_schedule_parse(rows[i][1], &b, NULL, &err), err);
        assert_row(rows[i][0], a.every == b.every && a.minutes == b.minutes && a.hours == b.hours &&
                                   a.days == b.days && a.months == b.months &&
                                   a.weekdays == b.weekdays);
    }
}

/* Two changes of summer time that every zone file since 1996 has, and what is chosen there. */
static void summer_time(void **state)
{
    (void)state;
    static const struct {
        const char *schedule, *zone, *after;
        const char *times[4];
    } rows[] = {
        /* 02:00 to 03:00 does not exist */
        {"30 2 * * *",
         "Europe/Berlin",
         "2026-03-28T12:00:00Z",
         {"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
        {"0,20,40 2 * * *",
         "Europe/Berlin",
         "2026-03-28T12:00:00Z",
         {"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
        {"0 2,3 * * *",
         "Europe/Berlin",
         "2026-03-28T12:00:00Z",
         {"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
        {"0 3 * * *",
         "Europe/Berlin",
         "2026-03-28T12:00:00Z",
         {"2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"}},
        {"*/30 * * * *",
         "Europe/Berlin",
         "2026-03-29T00:10:00Z",
         {"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
        {"*/30 2 * * *",
         "Europe/Berlin",
         "2026-03-28T12:00:00Z",
         {"2026-03-30T02:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
        {"30 2 29 3 *",
         "Europe/Berlin",
         "2026-01-01T00:00:00Z",
         {"2026-03-29T03:00:00+02:00", "2027-03-29T02:30:00+02:00"}},
        /* 02:00 to 03:00 comes twice */
        {"30 2 * * *",
         "Europe/Berlin",
         "2026-10-24T12:00:00Z",
         {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
        {"0 3 * * *",
         "Europe/Berlin",
         "2026-10-24T12:00:00Z",
         {"2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"}},
        {"30 2 * * *",
         "Europe/Berlin",
         "2026-10-25T00:45:00Z",
         {"2026-10-26T02:30:00+01:00", "2026-10-27T02:30:00+01:00"}},
        {"*/30 2 * * *",
         "Europe/Berlin",
         "2026-10-24T12:00:00Z",
         {"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00",
          "2026-10-25T02:30:00+01:00"}},
        {"30 * * * *",
         "Europe/Berlin",
         "2026-10-25T00:00:00Z",
         {"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
        /* half an hour, and a change at midnight */
        {"15 2 * * *",
         "Australia/Lord_Howe",
         "2026-10-03T12:00:00Z",
         {"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
        {"0 0 * * *",
         "America/Asuncion",
         "2023-09-30T12:00:00Z",
         {"2023-10-01T01:00:00-03:00", "2023-10-02T00:00:00-03:00"}},
        /* a whole day was left out: no change of summer time, and so nothing is made up for */
        {"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", {"2012-12-30T12:00:00+14:00"}},
        /* by the rule behind the last change in the file */
        {"30 2 * * *",
         "Europe/Berlin",
         "2199-03-30T12:00:00Z",
         {"2199-03-31T03:00:00+02:00", "2199-04-01T02:30:00+02:00"}},
        {"every 12 hours",
         "Europe/Berlin",
         "2026-10-24T23:00:00Z",
         {"2026-10-25T02:00:00+02:00", "2026-10-25T13:00:00+01:00"}},
        {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", {"2104-02-29T00:00:00+00:00"}},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_schedule s;
        struct vmcp_error err;
        auto_zone struct vmcp_zone *zone = NULL;
        int64_t at = 0;
        assert_good(rows[i].schedule, vmcp_schedule_parse(rows[i].schedule, &s, NULL, &err), err);
        assert_good(rows[i].zone, vmcp_zone_load(rows[i].zone, &zone, &err), err);
        assert_good(rows[i].after, vmcp_instant_parse(rows[i].after, &at, &err), err);
        for (size_t k = 0; k < 4 && rows[i].times[k]; k++) {
            char text[VMCP_ZONE_TEXT_CHARS];
            assert_row(rows[i].schedule, vmcp_schedule_next(&s, zone, at, &at));
            vmcp_zone_text(zone, at, text);
            if (strcmp(text, rows[i].times[k]) != 0)
                print_error("%s in %s: %s, not %s\n", rows[i].schedule, rows[i].zone, text,
                            rows[i].times[k]);
            assert_string_equal(text, rows[i].times[k]);
        }
    }
}

/* -- against the C library's clock, minute by minute ------------------------------------------- */

enum { ROUNDS = 300, DAYS = 4, CHANGE = 3 * 3600 };

static unsigned roll(unsigned below)
{
    static uint64_t x = 88172645463325252u; /* xorshift: the same run each time */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x % below);
}

/* The wall clock as seconds, by whatever TZ says. */
static int64_t wall(int64_t at, struct tm *tm)
{
    time_t t = (time_t)at;
    assert_non_null(localtime_r(&t, tm));
    return at + tm->tm_gmtoff;
}

static bool fits(const struct vmcp_schedule *s, const struct tm *tm)
{
    bool day = s->days >> tm->tm_mday & 1, weekday = s->weekdays >> tm->tm_wday & 1;
    bool either = !s->any_day && !s->any_weekday;
    return (s->minutes >> tm->tm_min & 1) && (s->hours >> tm->tm_hour & 1) &&
           (s->months >> (tm->tm_mon + 1) & 1) && (either ? day || weekday : day && weekday);
}

/* Does it run at `at`, a whole minute? Told from the clock as it goes by, not from its changes. */
static bool runs(const struct vmcp_schedule *s, int64_t at)
{
    struct tm tm, skipped;
    int64_t now = wall(at, &tm), before = wall(at - 60, &skipped), jump = now - before - 60;
    if (fits(s, &tm) && !s->fixed)
        return true;
    for (int64_t w = before + 60; s->fixed && jump > 0 && jump < CHANGE && w < now; w += 60) {
        time_t as_utc = (time_t)w;
        if (fits(s, gmtime_r(&as_utc, &skipped)))
            return true;
    }
    for (int64_t back = 60; fits(s, &tm) && back < CHANGE; back += 60)
        if (wall(at - back, &skipped) == now)
            return false; /* that minute has been */
    return fits(s, &tm);
}

/* `A`, `A,B`, `A-B`, `A-B/N`, or with a star. */
static void random_field(char *out, size_t size, unsigned min, unsigned max, bool star)
{
    unsigned a = min + roll(max - min + 1), b = a + roll(max - a + 1);
    unsigned kind = roll(star ? 6 : 4);
    if (kind == 0)
        snprintf(out, size, "%u", a);
    else if (kind == 1)
        snprintf(out, size, "%u,%u", b, a);
    else if (kind == 2)
        snprintf(out, size, "%u-%u", a, b);
    else if (kind == 3)
        snprintf(out, size, "%u-%u/%u", a, b, 1 + roll(5));
    else if (kind == 4)
        snprintf(out, size, "*/%u", 2 + roll(4));
    else
        snprintf(out, size, "*");
}

static void like_the_clock(void **state)
{
    (void)state;
    /* zones, and a day before a change of theirs */
    static const struct {
        const char *zone;
        int64_t near;
    } rows[] = {
        {"Europe/Berlin", 1774656000},       {"Europe/Berlin", 1792800000},
        {"America/New_York", 1772841600},    {"America/New_York", 1793404800},
        {"Australia/Lord_Howe", 1790985600}, {"Australia/Lord_Howe", 1775174400},
        {"Africa/Casablanca", 1771027200},   {"Asia/Kolkata", 1771027200},
        {"America/St_Johns", 1772841600},    {"Pacific/Apia", 1325030400},
        {"Europe/Dublin", 1774656000},       {"Antarctica/Troll", 1774656000},
        {"America/Asuncion", 1696032000},    {"Asia/Gaza", 1774569600},
        {"Pacific/Chatham", 1790380800},     {"Etc/UTC", 1771027200},
    };
    for (unsigned i = 0; i < ROUNDS; i++) {
        char f[5][24], text[160];
        random_field(f[0], sizeof(f[0]), 0, 59, true);
        random_field(f[1], sizeof(f[1]), 0, roll(2) ? 4 : 23, true);
        random_field(f[2], sizeof(f[2]), 1, 31, true);
        random_field(f[3], sizeof(f[3]), 1, 12, true);
        random_field(f[4], sizeof(f[4]), 0, 6, true);
        snprintf(text, sizeof(text), "%s %s %s %s %s", f[0], f[1], roll(3) ? "*" : f[2],
                 roll(8) ? "*" : f[3], roll(3) ? "*" : f[4]);
        struct vmcp_schedule s;
        struct vmcp_error err;
        if (vmcp_schedule_parse(text, &s, NULL, &err) < 0)
            continue; /* one that never comes */
        const char *name = rows[i % UNIT_COUNT(rows)].zone;
        int64_t at = rows[i % UNIT_COUNT(rows)].near / 60 * 60, next = 0;
        auto_zone struct vmcp_zone *zone = NULL;
        assert_good(name, vmcp_zone_load(name, &zone, &err), err);
        setenv("TZ", name, 1);
        tzset();
        bool any = vmcp_schedule_next(&s, zone, at - 1, &next);
        for (int64_t end = at + DAYS * 86400; at < end; at += 60) {
            bool want = runs(&s, at), has = any && next == at;
            if (want != has)
                print_error("%s in %s at %lld: %d, not %d\n", text, name, (long long)at, has, want);
            assert_row(text, want == has);
            if (has)
                any = vmcp_schedule_next(&s, zone, at, &next);
        }
    }
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong),
        cmocka_unit_test(spellings),
        cmocka_unit_test(summer_time),
        cmocka_unit_test(like_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
