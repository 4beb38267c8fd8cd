/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `completion`: a script for bash, made from the verbs' own tables. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "launch.h"
#include "report.h"

struct args {
    bool json;
};

static const struct vmcp_option options[] = {
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print a JSON object with the script in it"},
    {0},
};

const struct vmcp_command launch_completion_command = {
    .name = "vmcp-launch completion",
    .operands = "bash",
    .summary = "print a script that completes verbs and options",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .example = "  source <(vmcp-launch completion bash)\n",
};

static void add_options(struct vmcp_buf *out, const struct vmcp_command *command)
{
    for (const struct vmcp_option *o = command ? command->options : NULL; o && o->name; o++)
        vmcp_buf_addf(out, " --%s", o->name);
}

/* Without a verb the options are those of `launch`. */
static void make_script(struct vmcp_buf *out)
{
    vmcp_buf_adds(out, "# bash completion for vmcp-launch\n"
                       "_vmcp_launch() {\n"
                       "    local words cur=${COMP_WORDS[COMP_CWORD]}\n"
                       "    COMPREPLY=()\n"
                       "    case ${COMP_WORDS[1]} in\n");
    for (const struct launch_verb *v = launch_verbs; v->name; v++) {
        vmcp_buf_addf(out, "        %s) words='--help", v->name);
        add_options(out, v->command);
        vmcp_buf_adds(out, "' ;;\n");
    }
    vmcp_buf_adds(out, "        *) words='--help");
    add_options(out, &launch_launch_command);
    vmcp_buf_adds(out, "' ;;\n    esac\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        words+='");
    for (const struct launch_verb *v = launch_verbs; v->name; v++)
        vmcp_buf_addf(out, " %s", v->name);
    vmcp_buf_adds(out, "'\n"
                       "    elif [[ $cur != -* ]]; then\n"
                       "        return\n"
                       "    fi\n"
                       "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                       "}\n"
                       "complete -o default -F _vmcp_launch vmcp-launch\n");
}

static int run_verb(const char *shell, bool json, struct launch_report *report,
                    struct vmcp_error *err)
{
    auto_buf struct vmcp_buf script = VMCP_BUF(65536);
    if (strcmp(shell, "bash") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "no completion for %.40s; there is one for bash",
                         shell);
    make_script(&script);
    int rc = vmcp_buf_check(&script, "the script", err);
    if (rc < 0)
        return rc;
    launch_report_set(report, "script", json_string(script.data));
    if (!json)
        fputs(script.data, stdout);
    return 0;
}

int launch_completion_main(int argc, char **argv)
{
    struct args a = {0};
    auto_report struct launch_report report =
        LAUNCH_REPORT("completion", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_completion_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_completion_command);
    if (rc == 0)
        rc = run_verb(operands.items[0], a.json, &report, &err);
    return launch_report_end(&report, rc, &err);
}
