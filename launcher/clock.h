/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - how long something has taken, and how long to wait before it is tried again. */
#ifndef LAUNCH_CLOCK_H
#define LAUNCH_CLOCK_H

#include <stdint.h>

/* Time since boot, which nobody sets; it does not stand still while the machine sleeps. */
int64_t launch_uptime(void); /* seconds */
int64_t launch_uptime_ms(void);

void launch_sleep_ms(int64_t ms);

/* The pause before try n+1 (n from 1), in milliseconds: doubled each time from a second on, up to
 * `max_s` seconds, and a random half of it less, so that a thousand VMs that boot at once do not
 * ask at once. A server that said how many seconds it wants (`after` > 0) is obeyed. */
int64_t launch_pause_ms(int n, int after, int max_s);

#endif
