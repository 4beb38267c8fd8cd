/* SPDX-License-Identifier: Apache-2.0 */
/* timeline.h - the history as people see it on stdout: a mark for each run, and in full. */
#ifndef LAUNCH_TIMELINE_H
#define LAUNCH_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>

enum { LAUNCH_TIMELINE_RUNS = 16 };

/* Colours are for terminals, and for who does not say NO_COLOR. */
bool launch_timeline_wants_colour(void);

/* One line a job: its name, the marks of its last runs, the newest to the right, and the last one
 * in words. `jobs` is launch_history_jobs()'s, with `timeline` in each. Then what the marks mean.
 */
void launch_timeline_print(const json_t *jobs);

/* Runs with their attempts, as launch_history_runs() has them. */
void launch_timeline_print_runs(const json_t *runs);

#endif
