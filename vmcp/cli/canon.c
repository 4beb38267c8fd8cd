/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/name.h"
#include "lib/v1.h"

struct args {
    const char *salt;
    bool json;
};

static const struct vmcp_option options[] = {
    {"salt", "S", VMCP_OPT_STRING, offsetof(struct args, salt), 0, 0,
     "the asker's salt, which ends the text"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print a JSON object with the text in it"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp canon",
    .operands = "MACHINE.json",
    .summary = "print the version 1 signed text",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "MACHINE.json is a machine file, a bare VMCP object, or - for standard input. The text\n"
        "ends with the salt and has no newline behind it: what is printed is what is signed.\n",
    .example = "  vmcp canon --salt abc configs/tutorial.json\n",
};

static int load(const char *path, struct vmcp_config *ret, struct vmcp_error *err)
{
    if (strcmp(path, "-") != 0)
        return vmcp_config_load(path, ret, NULL, err);
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_CONFIG_MAX);
    int rc = vmcp_file_read("-", VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    return vmcp_config_parse("stdin", b.data ? b.data : "", b.len, -1, ret, NULL, err);
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_config struct vmcp_config config = {0};
    auto_buf struct vmcp_buf text = VMCP_BUF(4 * VMCP_ANSWER_MAX);
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    if (!a.salt)
        return vmcp_fail(err, VMCP_E_USAGE, "--salt S is wanted: it is part of the text");
    rc = vmcp_salt_check(a.salt, strlen(a.salt), err);
    if (rc == 0)
        rc = load(operands.items[0], &config, err);
    if (rc == 0)
        rc = vmcp_v1_text(config.machine, &text, err);
    if (rc < 0)
        return rc;
    vmcp_buf_adds(&text, a.salt);
    rc = vmcp_buf_check(&text, "the signed text", err);
    if (rc < 0)
        return rc;
    json_auto_t *report = json_pack("{s:s, s:s}", "code", "ok", "text", text.data);
    if (a.json)
        cmd_print_json(report);
    else
        fwrite(text.data, 1, text.len, stdout);
    return 0;
}

const struct cmd_verb cmd_canon = {"canon", &command, run};
