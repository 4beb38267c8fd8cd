/* SPDX-License-Identifier: Apache-2.0 */
/* vmcp-launch: from a signed machine to a running VM on Compute Engine. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/error.h"
#include "lib/options.h"
#include "verbs/launch.h"

static int help_main(int argc, char **argv);

const struct launch_verb launch_verbs[] = {
    {"launch", launch_main, &launch_launch_command},
    {"plan", launch_plan_main, &launch_plan_command},
    {"bootstrap", launch_bootstrap_main, &launch_vm1_command},
    {"status", launch_status_main, &launch_status_command},
    {"stop", launch_stop_main, &launch_stop_command},
    {"delete", launch_delete_main, &launch_delete_command},
    {"logs", launch_logs_main, &launch_logs_command},
    {"schedule", launch_schedule_main, &launch_schedule_command},
    {"run-job", launch_run_job_main, &launch_run_job_command},
    {"state", launch_state_main, &launch_state_command},
    {"jobs", launch_jobs_main, &launch_jobs_command},
    {"least-privilege", launch_least_privilege_main, &launch_least_privilege_command},
    {"completion", launch_completion_main, &launch_completion_command},
    {"version", launch_version_main, &launch_version_command},
    {"help", help_main, NULL},
    {0},
};
enum { VERBS = sizeof(launch_verbs) / sizeof(*launch_verbs) - 1 };

static const struct launch_verb *find_verb(const char *name)
{
    for (const struct launch_verb *v = launch_verbs; v->name; v++)
        if (strcmp(name, v->name) == 0)
            return v;
    return NULL;
}

static int no_such_verb(const char *name)
{
    const char *near = vmcp_suggest(name, launch_verbs, VERBS, sizeof(*launch_verbs));
    fprintf(stderr,
            "vmcp-launch: usage: there is no verb `%.64s`%s%s; `vmcp-launch help` lists them\n",
            name, near ? "; did you mean " : "", near ? near : "");
    return VMCP_EXIT_USAGE;
}

/* `help VERB` is `VERB --help`. */
static int help_main(int argc, char **argv)
{
    const char *name = argc > 1 && argv[1][0] != '-' ? argv[1] : "help";
    const struct launch_verb *verb = find_verb(name);
    if (!verb)
        return no_such_verb(name);
    if (verb->command)
        return launch_help(verb->command);
    puts("vmcp-launch - from a signed machine to a running VM on Compute Engine\n\n"
         "usage: vmcp-launch [VERB] [options]\n");
    for (const struct launch_verb *v = launch_verbs; v->name; v++)
        printf("  %-16s %s\n", v->name, v->command ? v->command->summary : "list the verbs");
    puts("\nWithout a verb it is `launch`. `vmcp-launch help VERB` tells more of one.");
    return VMCP_EXIT_DONE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    /* Tokens and keys are held in memory only: a crash is not to write them to the disk. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return help_main(1, argv);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return launch_version_main(1, argv);
    if (argc < 2 || argv[1][0] == '-')
        return launch_main(argc, argv);
    const struct launch_verb *verb = find_verb(argv[1]);
    return verb ? verb->run(argc - 1, argv + 1) : no_such_verb(argv[1]);
}
