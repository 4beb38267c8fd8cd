/* SPDX-License-Identifier: Apache-2.0 */
#include "posixtz.h"

#include <string.h>

enum { DAY = 86400, HOURS_MAX = 167 };

bool vmcp_is_leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int vmcp_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && vmcp_is_leap_year(year));
}

/* Years that begin in March: the leap day is their last. An era is 400 of them, 146097 days. */
int64_t vmcp_days_from_date(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void vmcp_days_to_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, d = z - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = y + era * 400 + (*ret_month <= 2);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_number(const char **s, int max, int *ret)
{
    int n = 0;
    if (!is_digit(**s))
        return false;
    for (; is_digit(**s); (*s)++) {
        n = n * 10 + (**s - '0');
        if (n > max)
            return false;
    }
    *ret = n;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static bool take_time(const char **s, int hours_max, int32_t *ret)
{
    int hours = 0, minutes = 0, seconds = 0;
    bool minus = **s == '-';
    if (**s == '-' || **s == '+')
        (*s)++;
    if (!take_number(s, hours_max, &hours) ||
        (take_char(s, ':') &&
         (!take_number(s, 59, &minutes) || (take_char(s, ':') && !take_number(s, 59, &seconds)))))
        return false;
    *ret = (hours * 60 + minutes) * 60 + seconds;
    if (minus)
        *ret = -*ret;
    return true;
}

/* An abbreviation: letters, or anything of letters, digits and signs between angle brackets. */
static bool take_name(const char **s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    bool quoted = take_char(s, '<');
    size_t n = strspn(*s, letters);
    if (quoted)
        n = strcspn(*s, ">");
    *s += n;
    return n >= 3 && (!quoted || take_char(s, '>'));
}

/* POSIX counts an offset to the west. */
static bool take_offset(const char **s, int32_t *ret)
{
    if (!take_time(s, 24, ret))
        return false;
    *ret = -*ret;
    return true;
}

static bool take_day(const char **s, struct vmcp_posixtz_day *ret)
{
    struct vmcp_posixtz_day d = {.kind = VMCP_POSIXTZ_ZERO, .at = 2 * 3600};
    bool good = false;
    if (take_char(s, 'M')) {
        d.kind = VMCP_POSIXTZ_MONTH;
        good = take_number(s, 12, &d.month) && take_char(s, '.') && take_number(s, 5, &d.week) &&
               take_char(s, '.') && take_number(s, 6, &d.day) && d.month >= 1 && d.week >= 1;
    } else if (take_char(s, 'J')) {
        d.kind = VMCP_POSIXTZ_JULIAN;
        good = take_number(s, 365, &d.day) && d.day >= 1;
    } else {
        good = take_number(s, 365, &d.day);
    }
    if (good && take_char(s, '/'))
        good = take_time(s, HOURS_MAX, &d.at);
    *ret = d;
    return good;
}

int vmcp_posixtz_parse(const char *text, struct vmcp_posixtz *ret, struct vmcp_error *err)
{
    struct vmcp_posixtz tz = {0};
    const char *s = text;
    bool good = take_name(&s) && take_offset(&s, &tz.standard);
    if (good && *s) {
        tz.has_summer = true;
        tz.summer = tz.standard + 3600;
        good = take_name(&s) && (*s == ',' || take_offset(&s, &tz.summer)) && take_char(&s, ',') &&
               take_day(&s, &tz.begins) && take_char(&s, ',') && take_day(&s, &tz.ends) && !*s;
    }
    if (!good)
        return vmcp_fail(err, VMCP_E_FILE, "the rule \"%.64s\" is no TZ string of POSIX", text);
    *ret = tz;
    return 0;
}

/* Seconds from 1970, by a clock of no zone, of such a day in a year. */
static int64_t instant_of(const struct vmcp_posixtz_day *d, int64_t year)
{
    int64_t first = vmcp_days_from_date(year, 1, 1), day = first + d->day;
    if (d->kind == VMCP_POSIXTZ_JULIAN)
        day = first + d->day - 1 + (vmcp_is_leap_year(year) && d->day >= 60);
    if (d->kind == VMCP_POSIXTZ_MONTH) {
        first = vmcp_days_from_date(year, d->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
        while (day >= first + vmcp_days_in_month(year, d->month))
            day -= 7;
    }
    return day * DAY + d->at;
}

/* One change of the clocks. */
struct change {
    int64_t at;
    int32_t offset; /* from then on */
};

/* Both changes of a year, in their order. */
static void changes_of(const struct vmcp_posixtz *tz, int64_t year, struct change out[static 2])
{
    struct change begin = {instant_of(&tz->begins, year) - tz->standard, tz->summer};
    struct change end = {instant_of(&tz->ends, year) - tz->summer, tz->standard};
    out[0] = begin.at < end.at ? begin : end;
    out[1] = begin.at < end.at ? end : begin;
}

struct vmcp_zone_span vmcp_posixtz_span(const struct vmcp_posixtz *tz, int64_t at)
{
    struct vmcp_zone_span span = {-VMCP_ZONE_ALWAYS, VMCP_ZONE_ALWAYS, tz->standard};
    struct change changes[6];
    int64_t year;
    int month, day;
    if (!tz->has_summer)
        return span;
    vmcp_days_to_date(at / DAY - (at % DAY < 0), &year, &month, &day);
    for (int i = 0; i < 3; i++)
        changes_of(tz, year - 1 + i, &changes[2 * i]);
    for (int i = 0; i < 6; i++)
        if (changes[i].at <= at) {
            span.from = changes[i].at;
            span.offset = changes[i].offset;
        } else if (changes[i].at < span.to) {
            span.to = changes[i].at;
        }
    return span;
}
