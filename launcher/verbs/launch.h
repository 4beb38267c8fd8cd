/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - the verbs. Each takes its own argv (argv[0] is the verb) and returns the exit code. */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include <stdbool.h>

#include "lib/options.h"

int launch_main(int argc, char **argv);
int launch_plan_main(int argc, char **argv);
int launch_bootstrap_main(int argc, char **argv);
int launch_run_job_main(int argc, char **argv);
int launch_state_main(int argc, char **argv);
int launch_status_main(int argc, char **argv);
int launch_stop_main(int argc, char **argv);
int launch_delete_main(int argc, char **argv);
int launch_logs_main(int argc, char **argv);
int launch_jobs_main(int argc, char **argv);
int launch_schedule_main(int argc, char **argv);
int launch_least_privilege_main(int argc, char **argv);
int launch_completion_main(int argc, char **argv);
int launch_version_main(int argc, char **argv);

/* A verb, for --help, completion and main. */
struct launch_verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const struct vmcp_command *command; /* NULL: it takes nothing */
};
extern const struct launch_verb launch_verbs[]; /* ends in {0} */

extern const struct vmcp_command launch_launch_command, launch_plan_command, launch_vm1_command,
    launch_status_command, launch_stop_command, launch_delete_command, launch_logs_command,
    launch_state_command, launch_jobs_command, launch_schedule_command, launch_run_job_command,
    launch_least_privilege_command, launch_completion_command, launch_version_command;

/* Is --json there? Asked of argv itself: the object is due even where the options are wrong. */
bool launch_wants_json(int argc, char **argv);
/* Print --help. Returns the exit code. */
int launch_help(const struct vmcp_command *command);

#endif
