/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/auto.h"

struct args {
    bool json;
};

static const struct vmcp_option options[] = {
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print a JSON object with the script in it"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp completion",
    .operands = "bash",
    .summary = "print a script that completes verbs, options and their values",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .example = "  source <(vmcp completion bash)\n"
               "  vmcp completion bash > /etc/bash_completion.d/vmcp\n",
};

/* The fixed words among alternatives with `|` between them, each with a space in front: those that
 * are written as they are, and not names of what stands there (`sign DOMAIN=PUB…|verify DIR`). */
static void add_words(struct vmcp_buf *out, const char *alternatives)
{
    for (const char *s = alternatives; s && *s; s += strcspn(s, "|"), s += *s == '|') {
        size_t len = strcspn(s, "| ");
        bool fixed = strchr(alternatives, '|') || (s[0] >= 'a' && s[0] <= 'z');
        if (fixed)
            vmcp_buf_addf(out, " %.*s", (int)len, s);
    }
}

/* What an option with a value completes to: its words, or else file names, as bash does where it is
 * left alone. */
static void add_value(struct vmcp_buf *out, const struct vmcp_option *o)
{
    if (!o->metavar || o->kind == VMCP_OPT_MAYBE)
        return;
    vmcp_buf_addf(out, "            --%s) ", o->name);
    if (strcmp(o->name, "passphrase") == 0) {
        vmcp_buf_adds(out, "words='file: fd: env: credential: prompt' all=1 ;;\n");
    } else if (strchr(o->metavar, '|')) {
        vmcp_buf_adds(out, "words='");
        add_words(out, o->metavar);
        vmcp_buf_adds(out, "' all=1 ;;\n");
    } else {
        vmcp_buf_adds(out, "return ;;\n");
    }
}

/* The words of one verb, from its own table. */
static void add_verb(struct vmcp_buf *out, const struct cmd_verb *verb)
{
    vmcp_buf_addf(out, "    %s)\n        words='--help", verb->name);
    for (const struct vmcp_option *o = verb->command->options; o->name; o++)
        vmcp_buf_addf(out, " --%s", o->name);
    vmcp_buf_adds(out, "' operands='");
    add_words(out, verb->command->operands);
    vmcp_buf_adds(out, "'\n        case $prev in\n");
    for (const struct vmcp_option *o = verb->command->options; o->name; o++)
        add_value(out, o);
    vmcp_buf_adds(out, "        esac ;;\n");
}

/* bash cuts `--format=v1` into three words. */
static void make_script(struct vmcp_buf *out)
{
    vmcp_buf_adds(out, "# bash completion for vmcp\n"
                       "_vmcp() {\n"
                       "    local words='' operands='' all='' cur=${COMP_WORDS[COMP_CWORD]}\n"
                       "    local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                       "    COMPREPLY=()\n"
                       "    if [[ $cur == = ]]; then\n"
                       "        cur=''\n"
                       "    elif [[ $prev == = ]]; then\n"
                       "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
                       "    fi\n"
                       "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
                       "        words='--help --version help");
    for (size_t i = 0; cmd_verbs[i]; i++)
        vmcp_buf_addf(out, " %s", cmd_verbs[i]->name);
    vmcp_buf_adds(out, "' all=1\n"
                       "    fi\n"
                       "    [ \"$COMP_CWORD\" = 1 ] || case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cmd_verbs[i]; i++)
        add_verb(out, cmd_verbs[i]);
    vmcp_buf_adds(out, "    help)\n        words='' operands='");
    for (size_t i = 0; cmd_verbs[i]; i++)
        vmcp_buf_addf(out, " %s", cmd_verbs[i]->name);
    vmcp_buf_adds(out, "' ;;\n"
                       "    esac\n"
                       "    if [[ $cur != -* && -z $all ]]; then\n"
                       "        words=''\n"
                       "        [ \"$COMP_CWORD\" = 2 ] && words=$operands\n"
                       "    fi\n"
                       "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                       "}\n"
                       "complete -o default -F _vmcp vmcp\n");
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_buf struct vmcp_buf script = VMCP_BUF(65536);
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    if (strcmp(operands.items[0], "bash") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "no completion for %s; there is one for bash",
                         operands.items[0]);
    make_script(&script);
    rc = vmcp_buf_check(&script, "the script", err);
    if (rc < 0)
        return rc;
    json_auto_t *report = json_pack("{s:s, s:s}", "code", "ok", "script", script.data);
    if (a.json)
        cmd_print_json(report);
    else
        fputs(script.data, stdout);
    return 0;
}

const struct cmd_verb cmd_completion = {"completion", &command, run};
