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
    .summary = "print a script that completes verbs and options",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .example = "  source <(vmcp completion bash)\n"
               "  vmcp completion bash > /etc/bash_completion.d/vmcp\n",
};

/* One word list for each verb, from its own table. */
static void add_verb(struct vmcp_buf *out, const struct cmd_verb *verb)
{
    vmcp_buf_addf(out, "        %s) words='--help", verb->name);
    for (const struct vmcp_option *o = verb->command->options; o->name; o++)
        vmcp_buf_addf(out, " --%s", o->name);
    vmcp_buf_adds(out, "' ;;\n");
}

/* Options that take a value complete to file names, as bash does by default. */
static void make_script(struct vmcp_buf *out)
{
    vmcp_buf_adds(out, "# bash completion for vmcp\n"
                       "_vmcp() {\n"
                       "    local words='' cur=${COMP_WORDS[COMP_CWORD]}\n"
                       "    COMPREPLY=()\n"
                       "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
                       "        words='--help");
    for (size_t i = 0; cmd_verbs[i]; i++)
        vmcp_buf_addf(out, " %s", cmd_verbs[i]->name);
    vmcp_buf_adds(out, "'\n"
                       "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                       "        return\n"
                       "    fi\n"
                       "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cmd_verbs[i]; i++)
        add_verb(out, cmd_verbs[i]);
    vmcp_buf_adds(out, "    esac\n"
                       "    if [[ $cur == -* ]]; then\n"
                       "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                       "    fi\n"
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
