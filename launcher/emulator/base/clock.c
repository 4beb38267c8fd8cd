/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stdio.h>
#include <time.h>

int64_t emu_clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void emu_clock_text(int64_t ms, char ret[static EMU_TIME_LEN + 1])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};
    char date[sizeof("2024-06-26T11:42:22")] = "";
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret, EMU_TIME_LEN + 1, "%s.%03u+00:00", date, (unsigned)(ms % 1000) % 1000);
}
