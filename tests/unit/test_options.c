/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/options.h"

struct args {
    const char *domain, *watch;
    struct vmcp_list trust;
    int64_t ttl;
    bool json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain"},
    {"trust", "FILE", VMCP_OPT_LIST, AT(trust), 0, 0, "a trusted key"},
    {"ttl", "SECONDS", VMCP_OPT_INT, AT(ttl), 30, 3600, "a lifetime"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "JSON"},
    {"watch", "HOW", VMCP_OPT_MAYBE, AT(watch), 0, 0, "perhaps"},
    {"hidden", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, NULL},
    {0},
};

static const struct vmcp_command command = {
    .name = "prog verb",
    .operands = "[FILE]",
    .summary = "does something",
    .options = options,
    .max_operands = 1,
    .details = "More words.\n",
    .example = "  prog verb x\n",
};

struct outcome {
    struct args args;
    struct vmcp_list operands;
    bool help;
};

/* Parse words that end in NULL. */
static int parse(struct outcome *o, struct vmcp_error *err, ...)
{
    char *argv[32] = {(char *)(uintptr_t) "verb"};
    int argc = 1;
    va_list words;
    va_start(words, err);
    for (char *word; (word = va_arg(words, char *)) != NULL;)
        argv[argc++] = word;
    va_end(words);
    *o = (struct outcome){.args = {.ttl = 300}};
    return vmcp_options_parse(&command, argc, argv, &o->args, &o->operands, &o->help, err);
}

static void both_spellings(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct outcome o;
    assert_good("", parse(&o, &err, "--domain", "a", "--ttl=60", "--json", NULL), err);
    assert_string_equal(o.args.domain, "a");
    assert_int_equal(o.args.ttl, 60);
    assert_true(o.args.json);
    assert_good("", parse(&o, &err, "--domain=a=b", "--ttl", "60", NULL), err);
    assert_string_equal(o.args.domain, "a=b");
    assert_good("", parse(&o, &err, "--domain=", NULL), err);
    assert_string_equal(o.args.domain, "");
    assert_good("a value may look like an option", parse(&o, &err, "--domain", "--json", NULL),
                err);
    assert_string_equal(o.args.domain, "--json");
    assert_false(o.args.json);
    assert_good("", parse(&o, &err, NULL), err);
    assert_null(o.args.domain);
    assert_int_equal(o.args.ttl, 300); /* the preset stays */
}

static void lists_and_operands(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct outcome o;
    assert_good("", parse(&o, &err, "--trust", "a", "x", "--trust=b", "--trust", "a", NULL), err);
    assert_int_equal(o.args.trust.count, 3);
    assert_string_equal(o.args.trust.items[1], "b");
    assert_int_equal(o.operands.count, 1);
    assert_string_equal(o.operands.items[0], "x");
    assert_good("", parse(&o, &err, "-", NULL), err);
    assert_string_equal(o.operands.items[0], "-");
    assert_good("", parse(&o, &err, "--json", "--", "--domain", NULL), err);
    assert_string_equal(o.operands.items[0], "--domain");
}

static void values_that_may_be_left_out(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct outcome o;
    assert_good("", parse(&o, &err, "--watch", "x", NULL), err);
    assert_string_equal(o.args.watch, "");
    assert_int_equal(o.operands.count, 1);
    assert_good("", parse(&o, &err, "--watch=now", NULL), err);
    assert_string_equal(o.args.watch, "now");
}

static void wrong_lines(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct outcome o;
    assert_code("twice", parse(&o, &err, "--domain", "a", "--domain", "a", NULL), err,
                VMCP_E_USAGE);
    assert_code("twice", parse(&o, &err, "--ttl", "60", "--ttl=60", NULL), err, VMCP_E_USAGE);
    assert_code("no value", parse(&o, &err, "--domain", NULL), err, VMCP_E_USAGE);
    assert_code("flag=", parse(&o, &err, "--json=yes", NULL), err, VMCP_E_USAGE);
    assert_code("operands", parse(&o, &err, "a", "b", NULL), err, VMCP_E_USAGE);
    assert_code("short", parse(&o, &err, "-j", NULL), err, VMCP_E_USAGE);
    assert_code("a prefix is not the option", parse(&o, &err, "--dom", "a", NULL), err,
                VMCP_E_USAGE);
    assert_code("case", parse(&o, &err, "--JSON", NULL), err, VMCP_E_USAGE);
    assert_code("=", parse(&o, &err, "--=x", NULL), err, VMCP_E_USAGE);
}

static void integers(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "29",   "3601", "-60", "60s",
                                      "6 0",  "0x40", "60.0", "1e2", "99999999999999999999",
                                      "sixty"};
    struct vmcp_error err;
    struct outcome o;
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], parse(&o, &err, "--ttl", bad[i], NULL), err, VMCP_E_USAGE);
    assert_good("", parse(&o, &err, "--ttl", "30", NULL), err);
    assert_good("", parse(&o, &err, "--ttl", "3600", NULL), err);
}

static void too_many(void **state)
{
    (void)state;
    struct vmcp_error err;
    char *argv[VMCP_LIST_MAX + 3];
    struct vmcp_command many = command;
    many.max_operands = 1000;
    for (size_t i = 0; i < UNIT_COUNT(argv); i++)
        argv[i] = (char *)(uintptr_t) "--trust=x";
    struct outcome o = {0};
    assert_good(
        "", vmcp_options_parse(&many, VMCP_LIST_MAX + 1, argv, &o.args, &o.operands, &o.help, &err),
        err);
    o = (struct outcome){0};
    assert_code(
        "options",
        vmcp_options_parse(&many, VMCP_LIST_MAX + 2, argv, &o.args, &o.operands, &o.help, &err),
        err, VMCP_E_USAGE);
    for (size_t i = 0; i < UNIT_COUNT(argv); i++)
        argv[i] = (char *)(uintptr_t) "x";
    o = (struct outcome){0};
    assert_code(
        "operands",
        vmcp_options_parse(&many, VMCP_LIST_MAX + 2, argv, &o.args, &o.operands, &o.help, &err),
        err, VMCP_E_USAGE);
}

static void suggestions(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--domian", "--domain"}, {"--domai", "--domain"}, {"--domainn", "--domain"},
        {"--josn", "--json"},     {"--trsut", "--trust"},  {"--tll", "--ttl"},
    };
    struct vmcp_error err;
    struct outcome o;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char want[64];
        assert_code(rows[i][0], parse(&o, &err, rows[i][0], "x", NULL), err, VMCP_E_USAGE);
        snprintf(want, sizeof(want), "did you mean %s?", rows[i][1]);
        assert_row(rows[i][0], strstr(err.text, want) != NULL);
    }
    assert_code("", parse(&o, &err, "--nothing-like-it", NULL), err, VMCP_E_USAGE);
    assert_null(strstr(err.text, "did you mean"));
    static const char *const verbs[] = {"keygen", "lint", "sign", "verify"};
    assert_string_equal(vmcp_suggest("verfiy", verbs, 4, sizeof(*verbs)), "verify");
    assert_string_equal(vmcp_suggest("lnit", verbs, 4, sizeof(*verbs)), "lint");
    assert_null(vmcp_suggest("frobnicate", verbs, 4, sizeof(*verbs)));
    assert_null(vmcp_suggest("x", verbs, 4, sizeof(*verbs)));
    char longest[500];
    memset(longest, 'v', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_null(vmcp_suggest(longest, verbs, 4, sizeof(*verbs)));
}

/* --help wins over whatever else is wrong, but for what stands before it. */
static void help(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct outcome o;
    assert_good("", parse(&o, &err, "a", "b", "--help", "--nonsense", NULL), err);
    assert_true(o.help);
    assert_good("", parse(&o, &err, "-h", NULL), err);
    assert_true(o.help);
    assert_good("", parse(&o, &err, "--", "--help", NULL), err);
    assert_false(o.help);
    auto_buf struct vmcp_buf text = VMCP_BUF(4096);
    vmcp_command_help(&command, &text);
    assert_good("", vmcp_buf_check(&text, "help", &err), err);
    static const char *const parts[] = {"prog verb - does something",
                                        "usage: prog verb [options] [FILE]",
                                        "More words.",
                                        "--domain D ",
                                        "--trust FILE ",
                                        "(may be repeated)",
                                        "--watch[=HOW]",
                                        "--json ",
                                        "--help ",
                                        "example:\n  prog verb x\n"};
    for (size_t i = 0; i < UNIT_COUNT(parts); i++)
        assert_row(parts[i], strstr(text.data, parts[i]) != NULL);
    assert_null(strstr(text.data, "hidden"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings),
        cmocka_unit_test(lists_and_operands),
        cmocka_unit_test(values_that_may_be_left_out),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(integers),
        cmocka_unit_test(too_many),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
