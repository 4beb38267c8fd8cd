/* SPDX-License-Identifier: Apache-2.0 */
/* The next time of a schedule: vmcp_schedule_next() of schedule.h. */
#include "posixtz.h"
#include "schedule.h"

enum { MINUTE = 60, DAY = 86400, SMALL_CHANGE = 3 * 3600 };
#define SEARCHED ((int64_t)50 * 366 * DAY) /* 29 February on a Sunday is at most 40 years away */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool matches_day(const struct vmcp_schedule *s, int day, int weekday)
{
    bool by_day = s->days >> day & 1, by_weekday = s->weekdays >> weekday & 1;
    return s->any_day || s->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first minute of a day, from `from` on (0 to 1440), or -1. */
static int find_minute(const struct vmcp_schedule *s, int from)
{
    for (int hour = from / 60; hour < 24; hour++) {
        if (!(s->hours >> hour & 1))
            continue;
        int minute = hour == from / 60 ? from % 60 : 0;
        uint64_t left = s->minutes >> minute << minute;
        if (left)
            return hour * 60 + __builtin_ctzll(left);
    }
    return -1;
}

/* The first match on a wall clock in [from, to), seconds since 1970 without a zone. */
static bool find_local(const struct vmcp_schedule *s, int64_t from, int64_t to, int64_t *ret)
{
    int64_t minutes = floor_div(from + MINUTE - 1, MINUTE), day = floor_div(minutes, 1440), year;
    int month, of_month, start = (int)(minutes - day * 1440);
    for (; day * DAY < to; start = 0) {
        vmcp_days_to_date(day, &year, &month, &of_month);
        if (!(s->months >> month & 1)) {
            day += vmcp_days_in_month(year, month) - of_month + 1;
            continue;
        }
        int weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
        int minute = matches_day(s, of_month, weekday) ? find_minute(s, start) : -1;
        if (minute >= 0) {
            *ret = day * DAY + minute * MINUTE;
            return *ret < to;
        }
        day++;
    }
    return false;
}

/* How far the clocks go forward (back: negative) as `span` begins; 0 where it is no change of
 * summer time: then the new time simply counts. */
static int64_t change(const struct vmcp_zone *zone, const struct vmcp_zone_span *span)
{
    if (span->from == -VMCP_ZONE_ALWAYS)
        return 0;
    int64_t by = span->offset - vmcp_zone_span(zone, span->from - 1).offset;
    return by > -SMALL_CHANGE && by < SMALL_CHANGE ? by : 0;
}

/* The first time in a span that is not before `from`. */
static bool find_in_span(const struct vmcp_schedule *s, const struct vmcp_zone *zone,
                         const struct vmcp_zone_span *span, int64_t from, int64_t to, int64_t *ret)
{
    int64_t by = s->fixed ? change(zone, span) : 0, local = from + span->offset;
    int64_t first = by ? span->from + span->offset : 0; /* by the new clock */
    if (by > 0 && from == span->from && find_local(s, first - by, first, ret)) {
        *ret = span->from; /* it was skipped */
        return true;
    }
    if (by < 0 && local < first - by)
        local = first - by; /* that hour has been */
    if (!find_local(s, local, to + span->offset, ret))
        return false;
    *ret -= span->offset;
    return true;
}

bool vmcp_schedule_next(const struct vmcp_schedule *s, const struct vmcp_zone *zone, int64_t after,
                        int64_t *ret)
{
    int64_t from = after + 1, limit = after + SEARCHED;
    if (s->every) {
        *ret = (floor_div(after, s->every) + 1) * s->every;
        return true;
    }
    while (from < limit) {
        struct vmcp_zone_span span = vmcp_zone_span(zone, from);
        int64_t to = span.to < limit ? span.to : limit;
        if (find_in_span(s, zone, &span, from, to, ret))
            return true;
        from = to;
    }
    return false;
}
