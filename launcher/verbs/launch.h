/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - the verbs. Each takes its own argv (argv[0] is the verb) and returns the exit code. */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include <stdbool.h>

#include "lib/options.h"

int launch_main(int argc, char **argv);
int launch_plan_main(int argc, char **argv);
int launch_bootstrap_main(int argc, char **argv);
int launch_state_main(int argc, char **argv);

/* Is --json there? Asked of argv itself: the object is due even where the options are wrong. */
bool launch_wants_json(int argc, char **argv);
/* Print --help. Returns the exit code. */
int launch_help(const struct vmcp_command *command);

#endif
