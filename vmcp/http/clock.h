/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the clock of deadlines: it does not go back, and knows nothing of the time of day. */
#ifndef HTTP_CLOCK_H
#define HTTP_CLOCK_H

#include <stdint.h>

/* Milliseconds, and microseconds, of the monotonic clock. */
int64_t http_now_ms(void);
int64_t http_now_us(void);

#endif
