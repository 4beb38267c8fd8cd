/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/options.h"
#include "settings.h"

struct args {
    const char *control;
    int64_t timeout;
    bool json;
};

static const struct vmcp_option options[] = {
    {"control", "PATH", VMCP_OPT_STRING, offsetof(struct args, control), 0, 0,
     "the server's socket (/run/vmcpd/control)"},
    {"timeout", "TIME", VMCP_OPT_TIME, offsetof(struct args, timeout), 1, 3600,
     "how long to wait for the outcome (60s)"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcpd reload",
    .operands = "",
    .summary = "make the running server read machines and keys again",
    .options = options,
    .details =
        "Waits for the outcome, and says which generation is served then and how many machines\n"
        "it has. If anything is wrong, the server goes on with what it had, the errors are\n"
        "printed, and the exit code is 1; of more than 100 findings the log has the rest.\n"
        "An access log that cannot be opened again goes on where it was, and is an error too.\n",
    .example = "  vmcpd reload\n",
};

static void print_json(const json_t *value)
{
    auto_free char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    if (text)
        puts(text);
}

static int complain(bool json, const struct vmcp_error *err)
{
    fprintf(stderr, "vmcpd reload: error: %s%s%s [%s]\n", err->where, err->where[0] ? ": " : "",
            err->text, vmcp_code_name(err->code));
    json_auto_t *report = json_pack("{s:s, s:s, s:s}", "code", vmcp_code_name(err->code), "where",
                                    err->where, "detail", err->text);
    if (json)
        print_json(report);
    return vmcp_code_exit(err->code);
}

/* An error of the command line itself comes before --json was parsed. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static void print_line(const char *line)
{
    auto_free char *copy = strdup(line ? line : "");
    if (!copy)
        return;
    vmcp_text_clean(copy);
    fprintf(stderr, "%s\n", copy);
}

/* What is served now; a server of an older version does not say. */
static void print_done(const json_t *answer)
{
    const json_t *generation = json_object_get(answer, "generation");
    json_int_t machines = json_integer_value(json_object_get(answer, "machines"));
    json_int_t jobs = json_integer_value(json_object_get(answer, "jobs"));
    char also[40] = "";
    if (jobs)
        snprintf(also, sizeof(also), ", %lld job%s", (long long)jobs, jobs == 1 ? "" : "s");
    if (json_is_integer(generation))
        fprintf(stderr, "vmcpd reload: generation %lld, %lld machine%s%s\n",
                (long long)json_integer_value(generation), (long long)machines,
                machines == 1 ? "" : "s", also);
}

/* The exit code. */
static int print_outcome(const json_t *answer, bool json)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    const json_t *findings = json_object_get(answer, "findings");
    bool good = code && strcmp(code, vmcp_code_name(VMCP_OK)) == 0;
    for (size_t i = 0; i < json_array_size(findings); i++)
        print_line(json_string_value(json_array_get(findings, i)));
    bool loaded = json_is_true(json_object_get(answer, "loaded"));
    if (good || loaded)
        print_done(answer);
    if (!good) {
        const char *where = json_string_value(json_object_get(answer, "where"));
        const char *detail = json_string_value(json_object_get(answer, "detail"));
        auto_buf struct vmcp_buf line = VMCP_BUF(1024);
        vmcp_buf_addf(&line, "vmcpd reload: error: %s: %s%s%s [%s]",
                      loaded ? "the new set is served, the log is the old one"
                             : "the old set stays",
                      where ? where : "", where && *where ? ": " : "", detail ? detail : "",
                      code ? code : vmcp_code_name(VMCP_E_INTERNAL));
        print_line(line.data);
    }
    if (json)
        print_json(answer);
    return good ? VMCP_EXIT_DONE : VMCP_EXIT_REFUSED;
}

int srv_verb_reload(int argc, char **argv)
{
    struct vmcp_error err = {0};
    struct args a = {.timeout = 60};
    struct vmcp_list operands = {0};
    bool help = false;
    auto_free char *path = NULL;
    json_auto_t *answer = NULL;
    if (vmcp_options_parse(&command, argc, argv, &a, &operands, &help, &err) < 0)
        return complain(asks_for_json(argc, argv), &err);
    if (help) {
        auto_buf struct vmcp_buf text = VMCP_BUF(16384);
        vmcp_command_help(&command, &text);
        fputs(text.data ? text.data : "", stdout);
        return 0;
    }
    if (srv_control_path(a.control, &path, &err) < 0 ||
        srv_control_ask(path ? path : "/run/vmcpd/control", (int)a.timeout, &answer, &err) < 0)
        return complain(asks_for_json(argc, argv), &err);
    return print_outcome(answer, a.json);
}

int srv_verb_check(const char *word, struct vmcp_error *err)
{
    static const char *const verbs[] = {"reload"};
    const char *near = word[0] == '-' ? NULL : vmcp_suggest(word, verbs, 1, sizeof(*verbs));
    for (const struct vmcp_option *o = srv_command.options; o->name; o++)
        if (strcmp(o->name, word) == 0)
            return vmcp_fail(err, VMCP_E_USAGE, "there is no verb %s; did you mean --%s?", word,
                             o->name);
    return near ? vmcp_fail(err, VMCP_E_USAGE, "there is no verb %s; did you mean %s?", word, near)
                : 0;
}
