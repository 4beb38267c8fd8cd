/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "limits.h"

enum { FIELDS = 5, NUMBER_DIGITS = 9 };

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekday_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

/* A field of the five: its range, and the names of its numbers from `min` on. */
static const struct field {
    const char *what;
    int min, max;
    const char *const *names;
    int name_count;
} fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0},           {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0}, {"month", 1, 12, month_names, 12},
    {"weekday", 0, 7, weekday_names, 7}, /* 7 is Sunday too */
};

/* A text and the place in it. */
struct reader {
    const char *text;
    size_t at;
    const struct field *field;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void skip_blanks(struct reader *r)
{
    while (is_blank(r->text[r->at]))
        r->at++;
}

/* Digits; a long number is some large one. */
static int take_digits(struct reader *r)
{
    int n = 0;
    size_t from = r->at;
    for (; is_digit(r->text[r->at]); r->at++)
        n = r->at - from < NUMBER_DIGITS ? n * 10 + (r->text[r->at] - '0') : 999999999;
    return n;
}

/* What other crons have and this one has not. */
static int fail_character(const struct reader *r, struct vmcp_error *err)
{
    char c = r->text[r->at];
    if (c == '?' || c == 'L' || c == 'W' || c == '#')
        return vmcp_fail(err, VMCP_E_USAGE,
                         "%c in a schedule is another cron's; here are numbers, names, lists, "
                         "ranges, steps and *",
                         c);
    if (c == '\0' || is_blank(c))
        return vmcp_fail(err, VMCP_E_USAGE, "the %s is incomplete: a number is wanted here",
                         r->field->what);
    return vmcp_fail(err, VMCP_E_USAGE, "the %s cannot be read: a number, name or * is wanted here",
                     r->field->what);
}

static int take_name(struct reader *r, int *ret, struct vmcp_error *err)
{
    size_t len = 0;
    while (is_letter(r->text[r->at + len]))
        len++;
    for (int i = 0; i < r->field->name_count && len == 3; i++)
        if (strncasecmp(r->text + r->at, r->field->names[i], 3) == 0) {
            r->at += 3;
            *ret = r->field->min + i;
            return 0;
        }
    if (r->field->name_count && len > 1)
        return vmcp_fail(err, VMCP_E_USAGE, "%.*s is no %s; they are named %s to %s",
                         (int)(len < 16 ? len : 16), r->text + r->at, r->field->what,
                         r->field->names[0], r->field->names[r->field->name_count - 1]);
    return fail_character(r, err);
}

/* A number or a name, in the field's range. */
static int take_value(struct reader *r, int *ret, struct vmcp_error *err)
{
    size_t from = r->at;
    if (!is_digit(r->text[r->at]))
        return take_name(r, ret, err);
    *ret = take_digits(r);
    if (*ret >= r->field->min && *ret <= r->field->max)
        return 0;
    r->at = from;
    return vmcp_fail(err, VMCP_E_USAGE, "%s %s is %d to %d", r->field->what[0] == 'h' ? "an" : "a",
                     r->field->what, r->field->min, r->field->max);
}

/* `/N` behind a range. */
static int take_step(struct reader *r, bool is_range, int *ret, struct vmcp_error *err)
{
    *ret = 1;
    if (r->text[r->at] != '/')
        return 0;
    if (!is_range)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "a step follows a range or *, as in 0-%d/5: from where to where?",
                         r->field->max);
    r->at++;
    if (!is_digit(r->text[r->at]))
        return fail_character(r, err);
    size_t from = r->at;
    *ret = take_digits(r);
    if (*ret >= 1 && *ret <= r->field->max)
        return 0;
    r->at = from;
    return vmcp_fail(err, VMCP_E_USAGE, "a step of the %s is 1 to %d", r->field->what,
                     r->field->max);
}

/* `*`, a value or a range, with or without a step. */
static int take_part(struct reader *r, uint64_t *bits, struct vmcp_error *err)
{
    size_t from = r->at;
    int first = r->field->min, last = r->field->max, step = 1, rc = 0;
    bool star = r->text[r->at] == '*', range = star;
    if (star) {
        r->at++;
        last = r->field->max == 7 ? 6 : last; /* Sunday once */
    } else {
        rc = take_value(r, &first, err);
        last = first;
        range = rc == 0 && r->text[r->at] == '-';
    }
    if (rc == 0 && range && !star) {
        r->at++;
        rc = take_value(r, &last, err);
        last = last == 0 && first > 0 && r->field->max == 7 ? 7 : last; /* FRI-SUN */
    }
    if (rc < 0)
        return rc;
    if (last < first) {
        r->at = from;
        return vmcp_fail(err, VMCP_E_USAGE,
                         "the range runs backwards; write it as two, with a "
                         "comma between");
    }
    rc = take_step(r, range, &step, err);
    for (int i = first; rc == 0 && i <= last; i += step)
        *bits |= (uint64_t)1 << i;
    return rc;
}

/* A field to its end: parts with commas between. */
static int take_field(struct reader *r, uint64_t *bits, bool *ret_star, struct vmcp_error *err)
{
    *ret_star = r->text[r->at] == '*';
    *bits = 0;
    for (;;) {
        int rc = take_part(r, bits, err);
        if (rc < 0)
            return rc;
        if (r->text[r->at] != ',')
            break;
        r->at++;
    }
    return r->text[r->at] == '\0' || is_blank(r->text[r->at]) ? 0 : fail_character(r, err);
}

/* Is there a month among `s->months` with one of `s->days`? Only days of the month can fail to
 * come: they count alone where weekdays restrict nothing. */
static bool ever_comes(const struct vmcp_schedule *s)
{
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!s->any_weekday)
        return true; /* either is enough, or days restrict nothing (`*` and its steps have day 1) */
    for (int m = 1; m <= 12; m++)
        if ((s->months >> m & 1) && (s->days & ((UINT64_C(2) << lengths[m - 1]) - 2)))
            return true;
    return false;
}

static int parse_cron(struct reader *r, struct vmcp_schedule *ret, struct vmcp_error *err)
{
    uint64_t bits[FIELDS];
    bool stars[FIELDS];
    size_t day = 0;
    for (size_t i = 0; i < FIELDS; i++) {
        r->field = &fields[i];
        skip_blanks(r);
        if (r->text[r->at] == '\0')
            return vmcp_fail(err, VMCP_E_USAGE,
                             "the %s is missing: a schedule has five fields, minute, hour, day of "
                             "the month, month and weekday, or says `every N minutes|hours`",
                             fields[i].what);
        day = i == 2 ? r->at : day;
        int rc = take_field(r, &bits[i], &stars[i], err);
        if (rc < 0)
            return rc;
    }
    skip_blanks(r);
    if (r->text[r->at])
        return vmcp_fail(err, VMCP_E_USAGE,
                         "a sixth field; there are five, and none for seconds or years");
    *ret = (struct vmcp_schedule){.minutes = bits[0],
                                  .hours = (uint32_t)bits[1],
                                  .days = (uint32_t)bits[2],
                                  .months = (uint16_t)bits[3],
                                  .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
                                  .any_day = stars[2],
                                  .any_weekday = stars[4],
                                  .fixed = !stars[0] && !stars[1]};
    if (ever_comes(ret))
        return 0;
    r->at = day;
    return vmcp_fail(err, VMCP_E_USAGE, "never: none of these months has such a day");
}

/* A word of letters. */
static size_t word(const struct reader *r)
{
    size_t len = 0;
    while (is_letter(r->text[r->at + len]))
        len++;
    return len;
}

static int unit_of(const struct reader *r, size_t len)
{
    static const struct {
        const char *name;
        int seconds;
    } units[] = {{"minute", 60}, {"minutes", 60}, {"mins", 60}, {"hour", 3600}, {"hours", 3600}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strlen(units[i].name) == len && strncasecmp(r->text + r->at, units[i].name, len) == 0)
            return units[i].seconds;
    return 0;
}

/* Behind `every`. */
static int parse_every(struct reader *r, struct vmcp_schedule *ret, struct vmcp_error *err)
{
    skip_blanks(r);
    size_t number = r->at;
    if (!is_digit(r->text[r->at]))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "`every` is followed by a number and minutes or hours; days and times are "
                         "written as cron, as in 0 9 * * MON");
    int64_t n = take_digits(r);
    skip_blanks(r);
    size_t len = word(r);
    int unit = unit_of(r, len);
    if (!unit)
        return vmcp_fail(err, VMCP_E_USAGE, "`every N` is followed by minutes or hours");
    r->at += len;
    skip_blanks(r);
    if (r->text[r->at])
        return vmcp_fail(err, VMCP_E_USAGE,
                         "nothing may follow `every N minutes|hours`; other schedules are written "
                         "as cron, as in */5 9-17 * * *");
    if (n < 1 || n * unit > VMCP_SCHEDULE_EVERY_MAX) {
        r->at = number;
        return vmcp_fail(err, VMCP_E_USAGE, "`every` is 1 minute to %d hours",
                         VMCP_SCHEDULE_EVERY_MAX / 3600);
    }
    *ret = (struct vmcp_schedule){.every = n * unit};
    return 0;
}

/* Nicknames of other crons, and what they are here. */
static int fail_nickname(const struct reader *r, struct vmcp_error *err)
{
    static const char *const names[][2] = {
        {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
        {"@annually", "0 0 1 1 *"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcasecmp(r->text + r->at, names[i][0]) == 0)
            return vmcp_fail(err, VMCP_E_USAGE, "%s is written %s here", names[i][0], names[i][1]);
    return vmcp_fail(err, VMCP_E_USAGE,
                     "words with @ are other crons'; five fields, or `every N minutes|hours`");
}

int vmcp_schedule_parse(const char *text, struct vmcp_schedule *ret, size_t *ret_at,
                        struct vmcp_error *err)
{
    struct reader r = {.text = text};
    int rc = 0;
    skip_blanks(&r);
    if (strlen(text) > VMCP_SCHEDULE_MAX)
        rc =
            vmcp_fail(err, VMCP_E_USAGE, "a schedule has at most %d characters", VMCP_SCHEDULE_MAX);
    else if (text[r.at] == '@')
        rc = fail_nickname(&r, err);
    else if (strncasecmp(text + r.at, "every", 5) == 0 &&
             (is_blank(text[r.at + 5]) || !text[r.at + 5])) {
        r.at += 5;
        rc = parse_every(&r, ret, err);
    } else {
        rc = parse_cron(&r, ret, err);
    }
    if (rc < 0 && ret_at)
        *ret_at = r.at;
    return rc;
}
