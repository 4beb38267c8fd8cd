/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "lib/auto.h"

static const struct vmcp_command command = {
    .name = "vmcp explain",
    .operands = "[ANSWER]",
    .summary = "show, check by check, why an answer is good or not",
    .options = cmd_expect_options,
    .max_operands = 1,
    .details =
        "Takes what `vmcp verify` takes and prints one line for each check, in the order in\n"
        "which they are made: what was looked at, what it was held against, what came out.\n"
        "The first failure is marked, and nothing is checked behind it. Exit code as verify.\n",
    .example = "  vmcp explain --trust cfg.key.pub --domain cfg.example.org --machine web \\\n"
               "      --hostid h1 --salt abc answer.jose\n",
};

/* The checks as they come. */
struct told {
    bool json, colour;
    size_t count;
    json_t *checks;
};

static void tell(void *arg, const char *what, const char *with, int rc,
                 const struct vmcp_error *err)
{
    struct told *t = arg;
    char clean[512]; /* `with` may be a word of an answer that nobody has verified yet */
    snprintf(clean, sizeof(clean), "%s", with);
    vmcp_text_clean(clean);
    with = clean;
    bool skipped = rc == 0 && strncmp(with, "not checked", strlen("not checked")) == 0;
    const char *verdict = rc < 0 ? vmcp_code_name(err->code) : skipped ? "not-checked" : "ok";
    t->count++;
    if (t->json) {
        json_array_append_new(t->checks,
                              json_pack("{s:s, s:s, s:s, s:s}", "check", what, "with", with, "code",
                                        verdict, "detail", rc < 0 ? err->text : ""));
        return;
    }
    const char *mark = rc < 0 ? "FAIL" : skipped ? "-" : "ok";
    const char *on = !t->colour ? "" : rc < 0 ? "\033[31m" : skipped ? "\033[33m" : "\033[32m";
    printf("%s%-4s%s %-16s %s\n", on, mark, t->colour ? "\033[0m" : "", what, with);
    if (rc < 0)
        printf("     ^ %s: %s\n", verdict, err->text);
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct cmd_expect a = CMD_EXPECT_DEFAULTS;
    struct vmcp_list operands = {0};
    auto_answer struct vmcp_answer answer = {0};
    json_auto_t *checks = json_array();
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    struct told t = {.json = a.json, .colour = cmd_colour(), .checks = checks};
    rc = cmd_expect_verify(&a, operands.items[0], tell, &t, &answer, err);
    json_auto_t *report = json_pack("{s:s, s:O}", "code", rc < 0 ? vmcp_code_name(err->code) : "ok",
                                    "checks", checks);
    if (rc < 0 && t.count == 0)
        return rc; /* nothing was checked: the command line or a file was wrong */
    if (a.json)
        cmd_print_json(report);
    result->exit = rc < 0 ? vmcp_code_exit(err->code) : VMCP_EXIT_DONE;
    return 0;
}

const struct cmd_verb cmd_explain = {"explain", &command, run};
