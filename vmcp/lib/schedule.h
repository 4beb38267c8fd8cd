/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - when a job runs: unix-cron, or `every N minutes|hours`.
 *
 * Five fields (minute, hour, day of the month, month, weekday), each a list of numbers, names (JAN,
 * SUN), ranges and steps, or `*`. Where days of the month and weekdays are both restricted, either
 * is enough; a field that begins with `*` restricts nothing by itself (crontab(5)).
 *
 * Cron fields are the wall clock of a time zone. Where clocks change by less than three hours, and
 * neither minute nor hour begins with `*`, what falls into a skipped hour runs once when the clocks
 * have gone forward, and what falls into a doubled hour runs the first time only; any other
 * schedule follows the wall clock as it goes: nothing in a skipped hour, twice in a doubled one.
 * That is what crontab(5) says of Vixie cron. `every` knows no wall clock: it is counted in real
 * time from 1970-01-01T00:00:00Z, so that all who compute it agree.
 *
 *     struct vmcp_schedule s;
 *     int64_t at;
 *     if (vmcp_schedule_parse("0 8 * * MON-FRI", &s, NULL, err) == 0 &&
 *         vmcp_schedule_next(&s, zone, time(NULL), &at))
 *         … run at `at`
 */
#ifndef VMCP_SCHEDULE_H
#define VMCP_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "zone.h"

/* A parsed schedule: a plain value. */
struct vmcp_schedule {
    int64_t every;             /* seconds; 0: cron, by what follows */
    uint64_t minutes;          /* bits 0 to 59 */
    uint32_t hours;            /* bits 0 to 23 */
    uint32_t days;             /* of the month, bits 1 to 31 */
    uint16_t months;           /* bits 1 to 12 */
    uint8_t weekdays;          /* bits 0 (Sunday) to 6 */
    bool any_day, any_weekday; /* the field begins with `*` */
    bool fixed;                /* neither minute nor hour begins with `*` */
};

/* Parse. What never comes (30 February) is an error too. On failure *ret_at (NULL: not wanted) is
 * the byte of `text`, from 0, at which it is wrong. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int vmcp_schedule_parse(const char *text, struct vmcp_schedule *ret, size_t *ret_at,
                                        struct vmcp_error *err);

/* The first time behind `after` (seconds since 1970), by the clock of `zone`. False where there is
 * none within 50 years. */
bool vmcp_schedule_next(const struct vmcp_schedule *schedule, const struct vmcp_zone *zone,
                        int64_t after, int64_t *ret);

#endif
