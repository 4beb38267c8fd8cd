/* SPDX-License-Identifier: Apache-2.0 */
/* gce-emulator - a local Google Cloud: metadata servers, tokens, the Compute API, VMs that boot. */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"serve", emu_verb_serve},
    {"metadata", emu_verb_metadata},
    {"env", emu_verb_env},
    {"run", emu_verb_run},
};

int emu_verb_help(const struct vmcp_command *command)
{
    auto_buf struct vmcp_buf out = VMCP_BUF(16384);
    vmcp_command_help(command, &out);
    if (vmcp_buf_check(&out, "the help", NULL) < 0)
        return VMCP_EXIT_INPUT;
    fputs(out.data, stdout);
    return VMCP_EXIT_DONE;
}

int emu_verb_fail(const struct vmcp_error *err)
{
    fprintf(stderr, "gce-emulator: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
    return vmcp_code_exit(err->code);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, argv[1]) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    if (argc > 1 && argv[1][0] != '-') {
        struct vmcp_error err = {0};
        vmcp_fail_at(&err, VMCP_E_USAGE, argv[1],
                     "there is no such verb; serve (or none), metadata, env and run are there");
        return emu_verb_fail(&err);
    }
    return emu_verb_serve(argc, argv);
}
