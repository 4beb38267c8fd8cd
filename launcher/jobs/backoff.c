/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

int64_t launch_backoff_ms(const struct vmcp_job_retry *retry, int n)
{
    int doublings = n - 1 < retry->max_doublings ? n - 1 : retry->max_doublings;
    int64_t most = retry->max_backoff_ms, pause = retry->min_backoff_ms;
    for (int i = 0; i < doublings && pause < most; i++)
        pause *= 2;
    /* Behind the doublings the pause grows by what it was at their end. */
    int64_t steps = n - doublings;
    if (pause > 0 && steps > most / pause)
        return most;
    return pause * steps < most ? pause * steps : most;
}

bool launch_backoff_goes_on(const struct vmcp_job_retry *retry, int attempts,
                            int64_t since_first_ms)
{
    if (attempts - 1 < retry->count)
        return true;
    /* Without a count the duration alone is the limit; without both nothing is tried again. */
    return retry->max_duration_ms > 0 && since_first_ms < retry->max_duration_ms;
}
