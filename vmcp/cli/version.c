/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>

#include "cmd.h"

struct args {
    bool json;
};

static const struct vmcp_option options[] = {
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp version",
    .operands = "",
    .summary = "print the version",
    .options = options,
    .example = "  vmcp version\n",
};

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    json_auto_t *report = json_pack("{s:s, s:s}", "code", "ok", "version", VMCP_VERSION);
    if (a.json)
        cmd_print_json(report);
    else
        puts("vmcp " VMCP_VERSION);
    return 0;
}

const struct cmd_verb cmd_version = {"version", &command, run};
