/* SPDX-License-Identifier: Apache-2.0 */
#include "expect.h"
#include "lib/auto.h"

static const struct vmcp_command command = {
    .name = "vmcp verify",
    .operands = "[ANSWER]",
    .summary = "verify an answer",
    .options = CMD_VERIFY_OPTIONS,
    .max_operands = 1,
    .details = "ANSWER is a file; without one, or as -, it is standard input. Prints the verified\n"
               "machine, or with --job the job, as JSON; exit code 1 and the reason where the "
               "answer is not good. What was\n"
               "not expected is not checked, and standard error says what that was.\n",
    .example = "  vmcp verify --trust cfg.key.pub --domain cfg.example.org --machine web \\\n"
               "      --hostid h1 --salt abc answer.jose\n",
};

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct cmd_expect a = CMD_EXPECT_DEFAULTS;
    struct vmcp_list operands = {0};
    auto_answer struct vmcp_answer answer = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    rc = cmd_expect_verify(&a, operands.items[0], NULL, NULL, &answer, err);
    return rc < 0 ? rc : cmd_print_answer(&answer, a.json, err);
}

const struct cmd_verb cmd_verify = {"verify", &command, run};
