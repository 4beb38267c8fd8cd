/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - when a failed job is tried again: the `retryConfig` of Cloud Scheduler.
 *
 * The pause begins at minBackoffDuration, doubles maxDoublings times, then grows by the last
 * doubled pause each time, and never exceeds maxBackoffDuration. Retries go on until retryCount is
 * used up; where maxRetryDuration is set too, until both are reached. That one alone is a limit
 * too.
 */
#ifndef LAUNCH_BACKOFF_H
#define LAUNCH_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/job.h"

/* The pause before retry `n` (1: the first after the first attempt), in milliseconds. */
int64_t launch_backoff_ms(const struct vmcp_job_retry *retry, int n);

/* After `attempts` of them (1 or more), the first of which began `since_first_ms` ago: is another
 * one due? */
bool launch_backoff_goes_on(const struct vmcp_job_retry *retry, int attempts,
                            int64_t since_first_ms);

#endif
