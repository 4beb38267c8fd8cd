/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <openssl/rand.h>
#include <time.h>

int64_t launch_uptime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t launch_uptime(void)
{
    return launch_uptime_ms() / 1000;
}

void launch_sleep_ms(int64_t ms)
{
    if (ms > 0)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

int64_t launch_pause_ms(int n, int after, int max_s)
{
    uint8_t random = 128;
    int64_t whole = n > 20 ? max_s : INT64_C(1) << (n - 1);
    (void)!RAND_bytes(&random, 1);
    if (after > 0)
        return after * INT64_C(1000);
    if (whole > max_s)
        whole = max_s;
    return whole * 500 + whole * 500 * random / 255;
}
