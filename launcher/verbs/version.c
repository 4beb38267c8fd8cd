/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `version`. */
#include <stddef.h>
#include <stdio.h>

#include "launch.h"
#include "report.h"

struct args {
    bool json;
};

static const struct vmcp_option options[] = {
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print one JSON object on stdout"},
    {0},
};

const struct vmcp_command launch_version_command = {
    .name = "vmcp-launch version",
    .operands = "",
    .summary = "print the version",
    .options = options,
};

int launch_version_main(int argc, char **argv)
{
    struct args a = {0};
    auto_report struct launch_report report =
        LAUNCH_REPORT("version", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_version_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_version_command);
    launch_report_set(&report, "version", json_string(VMCP_VERSION));
    if (rc == 0 && !a.json)
        puts("vmcp-launch " VMCP_VERSION);
    return launch_report_end(&report, rc, &err);
}
