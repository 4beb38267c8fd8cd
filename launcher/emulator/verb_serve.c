/* SPDX-License-Identifier: Apache-2.0 */
/* `gce-emulator` and `gce-emulator metadata`: the two that serve. */
#include "serve.h"
#include "verbs.h"

#define OPTION(name, metavar, kind, field, help)                                \
    {                                                                           \
        name, metavar, kind, offsetof(struct emu_serve_args, field), 0, 0, help \
    }

/* What both take. */
#define METADATA_OPTIONS                                                                          \
    OPTION("metadata", "PLACE", VMCP_OPT_STRING, metadata,                                        \
           "metadata server: ADDR:PORT or unix:PATH (" EMU_METADATA_DEFAULT ")"),                 \
        OPTION("metadata-also", "PLACE", VMCP_OPT_LIST, metadata_also,                            \
               "a further place of it: ADDR:PORT or unix:PATH"),                                  \
        OPTION("metadata-tls", "ADDR:PORT", VMCP_OPT_STRING, metadata_tls,                        \
               "the same over mutual TLS, with the next three"),                                  \
        OPTION("tls-cert", "FILE", VMCP_OPT_STRING, tls_cert, "the server's certificate, PEM"),   \
        OPTION("tls-key", "FILE", VMCP_OPT_STRING, tls_key, "its private key"),                   \
        OPTION("client-ca", "FILE", VMCP_OPT_STRING, client_ca,                                   \
               "the authority of the clients' certificates"),                                     \
        OPTION("metadata-host", "NAME", VMCP_OPT_LIST, metadata_hosts,                            \
               "a further name in Host that it answers to"),                                      \
        OPTION("link-local", NULL, VMCP_OPT_FLAG, link_local,                                     \
               "serve 169.254.169.254:80 too; adds the address to lo"),                           \
        OPTION("metadata-file", "FILE", VMCP_OPT_STRING, metadata_file,                           \
               "show this config.json to whoever is no VM; read again on change"),                \
        OPTION("token-source", "SOURCE", VMCP_OPT_STRING, token_source,                           \
               "local, key:FILE, gcloud or env: whose tokens it hands out (local)"),              \
        OPTION("state", "FILE", VMCP_OPT_STRING, state,                                           \
               "keep the state in an SQLite file (in memory)"),                                   \
        OPTION("project", "ID", VMCP_OPT_STRING, project,                                         \
               "the project (" EMU_PROJECT_DEFAULT ")"),                                          \
        OPTION("zone", "ZONE", VMCP_OPT_STRING, zone, "the default zone (" EMU_ZONE_DEFAULT ")"), \
        OPTION("service-account", "EMAIL", VMCP_OPT_LIST, accounts,                               \
               "make a service account; a short name is completed"),                              \
        OPTION("grant", "EMAIL=ROLE", VMCP_OPT_LIST, grants, "give an account a role"),           \
        OPTION("key", "EMAIL=FILE", VMCP_OPT_LIST, keys, "write a key file for an account"),      \
        OPTION("request-log", "FILE", VMCP_OPT_STRING, request_log,                               \
               "log requests as JSON lines; - is standard output")

static const struct vmcp_option serve_options[] = {
    METADATA_OPTIONS,
    OPTION("api", "ADDR:PORT", VMCP_OPT_STRING, api,
           "Compute API and token endpoint (" EMU_API_DEFAULT ")"),
    OPTION("vm-driver", "NAME", VMCP_OPT_STRING, driver,
           "how VMs boot: auto, netns, process, none (auto)"),
    OPTION("guest-may-reach", "ADDR:PORT", VMCP_OPT_LIST, reach,
           "a service of this network that VMs (netns) may reach; else none"),
    OPTION("folder", "DIR", VMCP_OPT_STRING, folder,
           "where serial port logs go (a temporary folder)"),
    OPTION("quota", "NAME=NUMBER", VMCP_OPT_LIST, quotas,
           "a limit in each region: CPUS=8; see the man page"),
    {"operation-delay", "MS", VMCP_OPT_INT, offsetof(struct emu_serve_args, operation_delay), 0,
     600000, "how long an operation is RUNNING before it acts (0)"},
    {0},
};

static const struct vmcp_option metadata_options[] = {
    METADATA_OPTIONS,
    OPTION("api", "ADDR:PORT", VMCP_OPT_STRING, api,
           "serve /token, the keys at /oauth2/v3/certs and the API here too (nowhere)"),
    {0},
};

static const struct vmcp_command serve_command = {
    .name = "gce-emulator",
    .operands = "",
    .summary = "a local Google Cloud for launchers: metadata server, tokens, Compute API, VMs",
    .options = serve_options,
    .details =
        "verbs:\n"
        "  gce-emulator                  serve until SIGTERM or SIGINT\n"
        "  gce-emulator metadata         serve the metadata server alone\n"
        "  gce-emulator env              print the variables that point clients here\n"
        "  gce-emulator run -- COMMAND   run a command with them\n"
        "\n"
        "Tokens are minted here and worth nothing elsewhere, but with --token-source. Without\n"
        "--service-account the project's default account is there and may do all.\n",
    .example = "  gce-emulator --vm-driver none &\n"
               "  eval \"$(gce-emulator env)\"\n"
               "  gcloud compute instances create vm-1 --image-family debian-12 "
               "--image-project debian-cloud\n",
};

static const struct vmcp_command metadata_command = {
    .name = "gce-emulator metadata",
    .operands = "",
    .summary = "a metadata server on this machine, and nothing else",
    .options = metadata_options,
    .example = "  gce-emulator metadata --metadata-file config.json --token-source gcloud\n",
};

static int serve(const struct vmcp_command *command, struct emu_serve_args *args, int argc,
                 char **argv)
{
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool wants_help = false;
    if (vmcp_options_parse(command, argc, argv, args, &operands, &wants_help, &err) < 0)
        return emu_verb_fail(&err);
    if (wants_help)
        return emu_verb_help(command);
    return emu_serve(args, &err) < 0 ? emu_verb_fail(&err) : VMCP_EXIT_DONE;
}

int emu_verb_serve(int argc, char **argv)
{
    struct emu_serve_args args = {.metadata = EMU_METADATA_DEFAULT,
                                  .api = EMU_API_DEFAULT,
                                  .driver = "auto",
                                  .zone = EMU_ZONE_DEFAULT};
    return serve(&serve_command, &args, argc, argv);
}

int emu_verb_metadata(int argc, char **argv)
{
    struct emu_serve_args args = {
        .metadata = EMU_METADATA_DEFAULT, .driver = "none", .zone = EMU_ZONE_DEFAULT};
    return serve(&metadata_command, &args, argc, argv);
}
