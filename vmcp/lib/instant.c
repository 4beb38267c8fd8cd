/* SPDX-License-Identifier: Apache-2.0 */
#include "instant.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limits.h"

#define LAST_INSTANT INT64_C(253402300799) /* the end of the year 9999 */

void vmcp_instant_text(int64_t at, char ret[static VMCP_INSTANT_CHARS])
{
    time_t seconds = (time_t)at;
    struct tm tm;
    if (at < 0 || at > LAST_INSTANT || !gmtime_r(&seconds, &tm) ||
        strftime(ret, VMCP_INSTANT_CHARS, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret, VMCP_INSTANT_CHARS, "@%lld", (long long)at);
}

void vmcp_span_text(int64_t seconds, char ret[static VMCP_SPAN_CHARS])
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } rows[] = {{120, 1, "s"}, {7200, 60, "min"}, {172800, 3600, "h"}, {INT64_MAX, 86400, "days"}};
    size_t i = 0;
    while (seconds >= rows[i].below && i + 1 < sizeof(rows) / sizeof(*rows))
        i++;
    snprintf(ret, VMCP_SPAN_CHARS, "%lld %s", seconds < 0 ? 0 : (long long)(seconds / rows[i].unit),
             rows[i].name);
}

/* `count` digits at *at, which moves behind them and behind `then`, the character that must follow
 * (0: none). */
static bool digits(const char **at, int count, char then, int *ret)
{
    int value = 0;
    for (; count > 0; count--, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    if (then && **at != then)
        return false;
    *at += then != 0;
    *ret = value;
    return true;
}

/* "Z", "+05:30": what is to be taken away, in seconds. */
static bool offset(const char *at, int *ret)
{
    int hours = 0, minutes = 0, sign = *at == '-' ? -1 : 1;
    *ret = 0;
    if ((*at == 'Z' || *at == 'z') && !at[1])
        return true;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!digits(&at, 2, ':', &hours) || !digits(&at, 2, 0, &minutes) || *at || hours > 23 ||
        minutes > 59)
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* RFC 3339, section 5.6: date-time. */
static bool parse_date(const char *at, int64_t *ret)
{
    struct tm tm = {0};
    int away = 0;
    if (!digits(&at, 4, '-', &tm.tm_year) || !digits(&at, 2, '-', &tm.tm_mon) ||
        !digits(&at, 2, 0, &tm.tm_mday) || !*at || !strchr("Tt ", *at))
        return false;
    at++;
    if (!digits(&at, 2, ':', &tm.tm_hour) || !digits(&at, 2, ':', &tm.tm_min) ||
        !digits(&at, 2, 0, &tm.tm_sec))
        return false;
    if (*at == '.')
        at += 1 + strspn(at + 1, "0123456789");
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const struct tm said = tm;
    /* A leap second is counted as the one that follows; the 31st of April is no day. */
    if (said.tm_hour > 23 || said.tm_min > 59 || said.tm_sec > 60 || !offset(at, &away))
        return false;
    int64_t seconds = timegm(&tm);
    bool same_day = said.tm_sec == 60 || (tm.tm_mday == said.tm_mday && tm.tm_mon == said.tm_mon);
    *ret = seconds - away;
    return said.tm_mon >= 0 && said.tm_mon < 12 && said.tm_mday >= 1 && same_day && *ret >= 0;
}

int vmcp_instant_parse(const char *text, int64_t *ret, struct vmcp_error *err)
{
    char *end = NULL;
    int64_t at = 0;
    errno = 0;
    long long n = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : -1;
    if (end && !*end && !errno && n <= VMCP_SERIAL_MAX)
        at = n;
    else if (!parse_date(text, &at))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "%.40s is not a time: 2026-11-20T05:00:00Z or seconds since 1970 are "
                         "wanted",
                         text);
    *ret = at;
    return 0;
}
