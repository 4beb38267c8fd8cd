/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "lib/auto.h"

static const struct vmcp_command command = {
    .name = "vmcp explain",
    .operands = "[ANSWER]",
    .summary = "show, check by check, why an answer is good or not",
    .options = cmd_explain_options,
    .max_operands = 1,
    .details =
        "Takes what `vmcp verify` takes and prints one line for each check, in the order in\n"
        "which they are made: what is looked at, what it is held against, and, where it fails,\n"
        "why; nothing is checked behind the first failure, and what is not checked is marked "
        "skip.\n"
        "Exit code as verify. With --at the answer is judged by another clock than this one's:\n"
        "was it good when it came?\n"
        "\n"
        "To see why a launcher refuses, ask as it does, with a salt and a host id of your own,\n"
        "and hold the answer against the launcher's trust file, domain and machine.\n",
    .example = "  vmcp explain --trust cfg.key.pub --domain cfg.example.org --machine web \\\n"
               "      --hostid h1 --salt abc answer.jose\n"
               "  curl -s -H 'Accept: application/jose' \\\n"
               "      'https://cfg.example.org/vmcp/web?cvm_salt=abc&cvm_hostid=h1' |\n"
               "      vmcp explain --trust cfg.key.pub --domain cfg.example.org --machine web \\\n"
               "      --hostid h1 --salt abc\n",
};

/* The checks as they come. */
struct told {
    bool json, colour, is_job;
    size_t count;
    json_t *checks;
};

/* A check by the name that people have for it; `with` is then a value that was expected. */
static const char *label(const struct told *t, const char *what, bool *ret_value)
{
    const char *const rows[][2] = {{"iss", "domain (iss)"},
                                   {"sub", t->is_job ? "job (sub)" : "machine (sub)"},
                                   {"aud", "host id (aud)"},
                                   {"nonce", "salt (nonce)"},
                                   {"name", "name"}};
    *ret_value = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(what, rows[i][0]) == 0)
            return rows[i][1];
    *ret_value = false;
    return what;
}

/* One check, for people; `open`: nothing was expected. */
static void print_check(const struct told *t, const char *what, const char *with, bool open, int rc,
                        const struct vmcp_error *err)
{
    bool value = false, skipped = rc == 0 && open;
    const char *mark = rc < 0 ? "FAIL" : skipped ? "skip" : "ok";
    const char *on = !t->colour ? "" : rc < 0 ? "\033[31m" : skipped ? "\033[33m" : "\033[32m";
    const char *name = label(t, what, &value);
    printf("%s%-4s%s ", on, mark, t->colour ? "\033[0m" : "");
    if (*with && (rc == 0 || !open))
        printf("%-16s %s%s\n", name, rc < 0 && value ? "wanted: " : "", with);
    else
        puts(name);
    if (rc < 0)
        printf("     ^ %s: %s\n", vmcp_code_name(err->code), err->text);
}

static void tell(void *arg, const char *what, const char *with, int rc,
                 const struct vmcp_error *err)
{
    struct told *t = arg;
    char clean[512]; /* `with` may be a word of an answer that nobody has verified yet */
    snprintf(clean, sizeof(clean), "%s", with);
    vmcp_text_clean(clean);
    with = clean;
    bool open = strncmp(with, "not checked", strlen("not checked")) == 0;
    const char *verdict = rc < 0 ? vmcp_code_name(err->code) : open ? "not-checked" : "ok";
    t->count++;
    if (t->json) {
        json_array_append_new(t->checks,
                              json_pack("{s:s, s:s, s:s, s:s}", "check", what, "with", with, "code",
                                        verdict, "detail", rc < 0 ? err->text : ""));
        return;
    }
    print_check(t, what, with, open, rc, err);
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
    struct told t = {.json = a.json, .colour = cmd_colour(), .is_job = a.job, .checks = checks};
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
