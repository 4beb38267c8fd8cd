/* SPDX-License-Identifier: Apache-2.0 */
/* `gce-emulator env` and `gce-emulator run`: pointing clients at an emulator that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "serve.h"
#include "verbs.h"
#include "vm/within.h"

/* What both need to know about it. */
struct env_args {
    const char *metadata, *api, *project, *zone;
    bool here;
};

#define OPTION(name, metavar, kind, field, help)                          \
    {                                                                     \
        name, metavar, kind, offsetof(struct env_args, field), 0, 0, help \
    }
#define ENV_OPTIONS                                                         \
    OPTION("metadata", "ADDR:PORT", VMCP_OPT_STRING, metadata,              \
           "where its metadata server listens (" EMU_METADATA_DEFAULT ")"), \
        OPTION("api", "ADDR:PORT", VMCP_OPT_STRING, api,                    \
               "where its API listens (" EMU_API_DEFAULT ")"),              \
        OPTION("project", "ID", VMCP_OPT_STRING, project,                   \
               "its project (" EMU_PROJECT_DEFAULT ")"),                    \
        OPTION("zone", "ZONE", VMCP_OPT_STRING, zone, "the default zone (" EMU_ZONE_DEFAULT ")")

static const struct vmcp_option env_options[] = {ENV_OPTIONS, {0}};

static const struct vmcp_option run_options[] = {
    ENV_OPTIONS,
    OPTION("here", NULL, VMCP_OPT_FLAG, here,
           "set the variables only: in this machine's own network"),
    {0},
};

static const struct vmcp_command env_command = {
    .name = "gce-emulator env",
    .operands = "",
    .summary = "print the variables that point clients of Google Cloud at a running emulator",
    .options = env_options,
};

static const struct vmcp_command run_command = {
    .name = "gce-emulator run",
    .operands = "-- COMMAND…",
    .summary = "run a command with the variables that `gce-emulator env` prints",
    .options = run_options,
    .details =
        "Where this machine allows it, the command gets a network of its own, in which\n"
        "169.254.169.254 and metadata.google.internal are the emulator's metadata server, and\n"
        "nothing but the emulator can be reached.\n",
    .example = "  gce-emulator run -- gcloud compute instances list\n",
};

static int list_env(const struct env_args *args, char ***ret, struct vmcp_error *err)
{
    auto_free char *origin = NULL;
    if (asprintf(&origin, "http://%s", args->api) < 0) {
        origin = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an address");
    }
    return emu_env_list(args->metadata, origin, args->project, args->zone, ret, err);
}

int emu_verb_env(int argc, char **argv)
{
    struct env_args args = {EMU_METADATA_DEFAULT, EMU_API_DEFAULT, EMU_PROJECT_DEFAULT,
                            EMU_ZONE_DEFAULT, false};
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    auto_env char **list = NULL;
    auto_buf struct vmcp_buf out = VMCP_BUF(16384);
    if (vmcp_options_parse(&env_command, argc, argv, &args, &operands, &wants_help, &err) < 0)
        return emu_verb_fail(&err);
    if (wants_help)
        return emu_verb_help(&env_command);
    if (list_env(&args, &list, &err) < 0)
        return emu_verb_fail(&err);
    emu_env_print(list, &out);
    if (vmcp_buf_check(&out, "the variables", &err) < 0)
        return emu_verb_fail(&err);
    fputs(out.data, stdout);
    return VMCP_EXIT_DONE;
}

/* The command begins behind the first `--`; what is before it are our options. */
int emu_verb_run(int argc, char **argv)
{
    struct env_args args = {EMU_METADATA_DEFAULT, EMU_API_DEFAULT, EMU_PROJECT_DEFAULT,
                            EMU_ZONE_DEFAULT, false};
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    auto_env char **list = NULL;
    int dashes = 1;
    while (dashes < argc && strcmp(argv[dashes], "--") != 0)
        dashes++;
    if (vmcp_options_parse(&run_command, dashes, argv, &args, &operands, &wants_help, &err) < 0)
        return emu_verb_fail(&err);
    if (wants_help)
        return emu_verb_help(&run_command);
    if (dashes + 1 >= argc) {
        vmcp_fail(&err, VMCP_E_USAGE, "a command is missing; usage: gce-emulator run -- COMMAND…");
        return emu_verb_fail(&err);
    }
    if (list_env(&args, &list, &err) < 0)
        return emu_verb_fail(&err);
    for (char **item = list; *item; item++)
        putenv(*item); /* the strings live until the end */
    const struct emu_within within = {
        .metadata = args.metadata, .api = args.api, .argv = argv + dashes + 1, .here = args.here};
    int code = 0;
    return emu_within_run(&within, &code, &err) < 0 ? emu_verb_fail(&err) : code;
}
