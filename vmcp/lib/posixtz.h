/* SPDX-License-Identifier: Apache-2.0 */
/* posixtz.h - the rule at the end of a TZif file: a TZ string of POSIX, as RFC 8536 section 3.3.1
 * extends it ("CET-1CEST,M3.5.0,M10.5.0/3"). For zone.c. */
#ifndef VMCP_POSIXTZ_H
#define VMCP_POSIXTZ_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "zone.h"

/* A day of the year, and the second of it by the clock that ends then. */
struct vmcp_posixtz_day {
    enum { VMCP_POSIXTZ_JULIAN, VMCP_POSIXTZ_ZERO, VMCP_POSIXTZ_MONTH } kind;
    int day;         /* J1 to J365, never 29 February; 0 to 365; weekday 0 to 6 */
    int month, week; /* 1 to 12; 1 to 5, 5 is the last */
    int32_t at;      /* -167 to 167 hours */
};

struct vmcp_posixtz {
    int32_t standard, summer; /* seconds east of UTC */
    bool has_summer;
    struct vmcp_posixtz_day begins, ends; /* of summer */
};

VMCP_MUST_CHECK int vmcp_posixtz_parse(const char *text, struct vmcp_posixtz *ret,
                                       struct vmcp_error *err);

/* The span that `at` is in. */
struct vmcp_zone_span vmcp_posixtz_span(const struct vmcp_posixtz *tz, int64_t at);

/* Days from 1970-01-01 to a date of the Gregorian calendar, and back. */
int64_t vmcp_days_from_date(int64_t year, int month, int day);
void vmcp_days_to_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
bool vmcp_is_leap_year(int64_t year);
int vmcp_days_in_month(int64_t year, int month);

#endif
