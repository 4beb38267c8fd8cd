/* SPDX-License-Identifier: Apache-2.0 */
/* vmcp-launch: from a signed machine to a running VM on Compute Engine. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/options.h"
#include "verbs/launch.h"

static int version_main(int argc, char **argv);
static int help_main(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"launch", launch_main, "make the VM that a signed machine describes (the default verb)"},
    {"plan", launch_plan_main, "show what `launch` would do, and send no write"},
    {"bootstrap", launch_bootstrap_main, "make VM-1, which runs `launch` at boot"},
    {"state", launch_state_main, "show or reset what earlier runs remembered"},
    {"version", version_main, "print the version"},
    {"help", help_main, "list the verbs"},
};
enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("vmcp-launch " VMCP_VERSION);
    return VMCP_EXIT_DONE;
}

static int help_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("vmcp-launch - from a signed machine to a running VM on Compute Engine\n\n"
         "usage: vmcp-launch [VERB] [options]\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-12s %s\n", verbs[i].name, verbs[i].help);
    puts("\n`vmcp-launch VERB --help` lists the options of a verb.");
    return VMCP_EXIT_DONE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return help_main(argc, argv);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return version_main(argc, argv);
    if (argc < 2 || argv[1][0] == '-')
        return launch_main(argc, argv);
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    const char *near = vmcp_suggest(argv[1], verbs, VERBS, sizeof(*verbs));
    fprintf(stderr,
            "vmcp-launch: usage: there is no verb `%.64s`%s%s; `vmcp-launch help` lists them\n",
            argv[1], near ? "; did you mean " : "", near ? near : "");
    return VMCP_EXIT_USAGE;
}
