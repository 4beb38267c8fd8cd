/* SPDX-License-Identifier: Apache-2.0 */
/* gce-emulator - a local Google Cloud: metadata servers, tokens, the Compute API, VMs that boot. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "lib/options.h"
#include "serve.h"

#define METADATA_DEFAULT "127.0.0.1:18080"
#define API_DEFAULT      "127.0.0.1:18081"
#define PROJECT_DEFAULT  "demo-project"
#define ZONE_DEFAULT     "us-central1-a"

#define SERVE_OPTION(name, metavar, kind, field, help)                          \
    {                                                                           \
        name, metavar, kind, offsetof(struct emu_serve_args, field), 0, 0, help \
    }

static const struct vmcp_option serve_options[] = {
    SERVE_OPTION("metadata", "ADDR:PORT", VMCP_OPT_STRING, metadata,
                 "metadata server for this machine (" METADATA_DEFAULT ")"),
    SERVE_OPTION("api", "ADDR:PORT", VMCP_OPT_STRING, api,
                 "Compute API and token endpoint (" API_DEFAULT ")"),
    SERVE_OPTION("vm-driver", "NAME", VMCP_OPT_STRING, driver,
                 "how VMs boot: auto, netns, process, none (auto)"),
    SERVE_OPTION("state", "FILE", VMCP_OPT_STRING, state,
                 "keep the state in an SQLite file (in memory)"),
    SERVE_OPTION("project", "ID", VMCP_OPT_STRING, project, "the project (" PROJECT_DEFAULT ")"),
    SERVE_OPTION("zone", "ZONE", VMCP_OPT_STRING, zone, "the default zone (" ZONE_DEFAULT ")"),
    SERVE_OPTION("service-account", "EMAIL", VMCP_OPT_LIST, accounts,
                 "make a service account; a short name is completed"),
    SERVE_OPTION("grant", "EMAIL=ROLE", VMCP_OPT_LIST, grants, "give an account a role"),
    SERVE_OPTION("key", "EMAIL=FILE", VMCP_OPT_LIST, keys, "write a key file for an account"),
    SERVE_OPTION("request-log", "FILE", VMCP_OPT_STRING, request_log,
                 "log requests as JSON lines; - is standard output"),
    SERVE_OPTION("folder", "DIR", VMCP_OPT_STRING, folder,
                 "where serial port logs go (a temporary folder)"),
    SERVE_OPTION("quota", "NAME=NUMBER", VMCP_OPT_LIST, quotas,
                 "a limit in each region: CPUS=8; see the man page"),
    {"operation-delay", "MS", VMCP_OPT_INT, offsetof(struct emu_serve_args, operation_delay), 0,
     600000, "how long an operation is RUNNING before it acts (0)"},
    {0},
};

static const struct vmcp_command serve_command = {
    .name = "gce-emulator",
    .operands = "",
    .summary = "a local Google Cloud for launchers: metadata server, tokens, Compute API, VMs",
    .options = serve_options,
    .details = "verbs:\n"
               "  gce-emulator                  serve until SIGTERM or SIGINT\n"
               "  gce-emulator env              print the variables that point clients here\n"
               "  gce-emulator run -- COMMAND   run a command with them\n"
               "\n"
               "Tokens are minted here and worth nothing elsewhere. Without --service-account the\n"
               "project's default account is there and may do all.\n",
    .example = "  gce-emulator --vm-driver none &\n"
               "  eval \"$(gce-emulator env)\"\n"
               "  gcloud compute instances create vm-1 --image-family debian-12 "
               "--image-project debian-cloud\n",
};

/* What `env` and `run` need to know about a running emulator. */
struct env_args {
    const char *metadata, *api, *project, *zone;
};

static const struct vmcp_option env_options[] = {
    {"metadata", "ADDR:PORT", VMCP_OPT_STRING, offsetof(struct env_args, metadata), 0, 0,
     "where its metadata server listens (" METADATA_DEFAULT ")"},
    {"api", "ADDR:PORT", VMCP_OPT_STRING, offsetof(struct env_args, api), 0, 0,
     "where its API listens (" API_DEFAULT ")"},
    {"project", "ID", VMCP_OPT_STRING, offsetof(struct env_args, project), 0, 0,
     "its project (" PROJECT_DEFAULT ")"},
    {"zone", "ZONE", VMCP_OPT_STRING, offsetof(struct env_args, zone), 0, 0,
     "the default zone (" ZONE_DEFAULT ")"},
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
    .options = env_options,
    .example = "  gce-emulator run -- gcloud compute instances list\n",
};

static int help(const struct vmcp_command *command)
{
    auto_buf struct vmcp_buf out = VMCP_BUF(16384);
    vmcp_command_help(command, &out);
    if (vmcp_buf_check(&out, "the help", NULL) < 0)
        return VMCP_EXIT_INPUT;
    fputs(out.data, stdout);
    return VMCP_EXIT_DONE;
}

static int fail(const struct vmcp_error *err)
{
    fprintf(stderr, "gce-emulator: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
    return vmcp_code_exit(err->code);
}

static int serve(int argc, char **argv)
{
    struct emu_serve_args args = {.metadata = METADATA_DEFAULT,
                                  .api = API_DEFAULT,
                                  .driver = "auto",
                                  .project = PROJECT_DEFAULT,
                                  .zone = ZONE_DEFAULT};
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    if (vmcp_options_parse(&serve_command, argc, argv, &args, &operands, &wants_help, &err) < 0)
        return fail(&err);
    if (wants_help)
        return help(&serve_command);
    return emu_serve(&args, &err) < 0 ? fail(&err) : VMCP_EXIT_DONE;
}

static int list_env(const struct env_args *args, char ***ret, struct vmcp_error *err)
{
    auto_free char *origin = NULL;
    if (asprintf(&origin, "http://%s", args->api) < 0) {
        origin = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an address");
    }
    return emu_env_list(args->metadata, origin, args->project, args->zone, ret, err);
}

static int env(int argc, char **argv)
{
    struct env_args args = {METADATA_DEFAULT, API_DEFAULT, PROJECT_DEFAULT, ZONE_DEFAULT};
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    auto_env char **list = NULL;
    auto_buf struct vmcp_buf out = VMCP_BUF(16384);
    if (vmcp_options_parse(&env_command, argc, argv, &args, &operands, &wants_help, &err) < 0)
        return fail(&err);
    if (wants_help)
        return help(&env_command);
    if (list_env(&args, &list, &err) < 0)
        return fail(&err);
    emu_env_print(list, &out);
    if (vmcp_buf_check(&out, "the variables", &err) < 0)
        return fail(&err);
    fputs(out.data, stdout);
    return VMCP_EXIT_DONE;
}

/* The command begins behind the first `--`; what is before it are our options. */
static int run(int argc, char **argv)
{
    struct env_args args = {METADATA_DEFAULT, API_DEFAULT, PROJECT_DEFAULT, ZONE_DEFAULT};
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    auto_env char **list = NULL;
    int dashes = 1;
    while (dashes < argc && strcmp(argv[dashes], "--") != 0)
        dashes++;
    if (vmcp_options_parse(&run_command, dashes, argv, &args, &operands, &wants_help, &err) < 0)
        return fail(&err);
    if (wants_help)
        return help(&run_command);
    if (dashes + 1 >= argc) {
        vmcp_fail(&err, VMCP_E_USAGE, "a command is missing; usage: gce-emulator run -- COMMAND…");
        return fail(&err);
    }
    if (list_env(&args, &list, &err) < 0)
        return fail(&err);
    for (char **item = list; *item; item++)
        putenv(*item); /* the strings live until the exec */
    execvp(argv[dashes + 1], argv + dashes + 1);
    vmcp_fail_at(&err, VMCP_E_FILE, argv[dashes + 1], "cannot be run: %s", strerror(errno));
    return fail(&err);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "env") == 0)
        return env(argc - 1, argv + 1);
    if (strcmp(verb, "run") == 0)
        return run(argc - 1, argv + 1);
    if (strcmp(verb, "serve") == 0)
        return serve(argc - 1, argv + 1);
    return serve(argc, argv);
}
