/* SPDX-License-Identifier: Apache-2.0 */
/* vmcp - keys, lint, sign, verify: the operator's tool. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

const struct cmd_verb *const cmd_verbs[] = {
    &cmd_keygen, &cmd_pubkey,     &cmd_thumbprint, &cmd_rotate,  &cmd_keystore,
    &cmd_lint,   &cmd_sign,       &cmd_verify,     &cmd_explain, &cmd_canon,
    &cmd_fetch,  &cmd_completion, &cmd_version,    NULL,
};

enum { VERBS = sizeof(cmd_verbs) / sizeof(*cmd_verbs) - 1 };

static void print_help(FILE *out)
{
    fputs("vmcp - keys, lint, sign and verify for signed machine configurations\n\n"
          "usage: vmcp VERB [options]\n\nverbs:\n",
          out);
    for (size_t i = 0; i < VERBS; i++)
        fprintf(out, "  %-12s %s\n", cmd_verbs[i]->name, cmd_verbs[i]->command->summary);
    fputs("\n`vmcp help VERB` tells more. Exit codes: 0 done, 1 refused, 2 usage, 3 bad local "
          "input,\n4 network or responder, 8 timed out.\n",
          out);
}

/* `verb` is NULL where there is none of that name. */
static int complain(const char *verb, bool json, const struct vmcp_error *err)
{
    fprintf(stderr, "vmcp%s%s: error: %s%s%s [%s]\n", verb ? " " : "", verb ? verb : "", err->where,
            err->where[0] ? ": " : "", err->text, vmcp_code_name(err->code));
    if (json) {
        json_auto_t *body = json_pack("{s:s, s:s, s:s}", "code", vmcp_code_name(err->code), "where",
                                      err->where, "detail", err->text);
        cmd_print_json(body);
    }
    return vmcp_code_exit(err->code);
}

/* An error of the command line itself comes before --json was parsed. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static int run(const struct cmd_verb *verb, int argc, char **argv)
{
    struct cmd_result result = {.json = asks_for_json(argc, argv)};
    struct vmcp_error err = {0};
    int rc = verb->run(argc, argv, &result, &err);
    if (rc >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = vmcp_fail(&err, VMCP_E_FILE, "standard output cannot be written");
    return rc < 0 ? complain(verb->name, result.json, &err) : result.exit;
}

static int no_such_verb(const char *name, bool json)
{
    struct vmcp_error err = {0};
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++)
        names[i] = cmd_verbs[i]->name;
    const char *near = vmcp_suggest(name, names, VERBS, sizeof(*names));
    if (near)
        vmcp_fail(&err, VMCP_E_USAGE, "there is no verb %.63s; did you mean %s?", name, near);
    else
        vmcp_fail(&err, VMCP_E_USAGE, "there is no verb %.63s; `vmcp --help` lists them", name);
    return complain(NULL, json, &err);
}

static const struct cmd_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(cmd_verbs[i]->name, name) == 0)
            return cmd_verbs[i];
    return NULL;
}

/* `vmcp help VERB` is `vmcp VERB --help`. */
static int help_verb(char *name, bool json)
{
    static char option[] = "--help";
    char *argv[] = {name, option, NULL};
    const struct cmd_verb *verb = find_verb(name);
    return verb ? run(verb, 2, argv) : no_such_verb(name, json);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "help") == 0 && argc > 2 && argv[2][0] != '-')
        return help_verb(argv[2], asks_for_json(argc, argv));
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(argc > 1 ? stdout : stderr);
        return argc > 1 ? VMCP_EXIT_DONE : VMCP_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct cmd_verb *verb = find_verb(name);
    return verb ? run(verb, argc - 1, argv + 1) : no_such_verb(name, asks_for_json(argc, argv));
}
