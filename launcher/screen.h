/* SPDX-License-Identifier: Apache-2.0 */
/* screen.h - standard error, as people see it: lines that stay, and on a terminal one last line
 * that says what is waited for, with a spinner and the time that has passed. From any thread. */
#ifndef LAUNCH_SCREEN_H
#define LAUNCH_SCREEN_H

/* A line that stays. */
void launch_screen_line(const char *line);

/* What is waited for now: on a terminal the last line, until another takes its place or
 * launch_screen_end(); elsewhere a line as any other. */
void launch_screen_progress(const char *text);

/* Nothing is waited for any more; the last line is taken away. */
void launch_screen_end(void);

#endif
