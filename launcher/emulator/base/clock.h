/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - wall-clock time as the Compute API writes it. */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include <stdint.h>

enum { EMU_TIME_LEN = 29 };

/* Milliseconds since 1970. */
int64_t emu_clock_ms(void);
/* RFC 3339 with milliseconds and a numeric offset: 2024-06-26T11:42:22.006+00:00. */
void emu_clock_text(int64_t ms, char ret[static EMU_TIME_LEN + 1]);

#endif
