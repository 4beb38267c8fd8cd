/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/name.h"

struct args {
    const char *machine;
    bool json, strict;
};

static const struct vmcp_option options[] = {
    {"strict", NULL, VMCP_OPT_FLAG, offsetof(struct args, strict), 0, 0,
     "warnings are errors, and shown as such"},
    {"machine", "NAME", VMCP_OPT_STRING, offsetof(struct args, machine), 0, 0,
     "the name of the machine on standard input (stdin)"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp lint",
    .operands = "PATH…",
    .summary = "check machine files",
    .options = options,
    .min_operands = 1,
    .max_operands = VMCP_LIST_MAX,
    .details =
        "PATH is a machine file NAME.json, a folder of them, or - for one machine file on\n"
        "standard input. Each finding is one line, FILE:LINE:COLUMN: error: … or warning: …,\n"
        "lines and columns counted from 1, columns in bytes; one about a whole file is at 1:1.\n"
        "\n"
        "Errors are what vmcpd would not load. Warnings are what Compute Engine will change\n"
        "(name, CPUs, memory, disk), cannot do (flags, diskURL) or the launcher would refuse,\n"
        "a short secret, and a script that downloads on a VM without an external address.\n"
        "Exit code 3 if there are errors.\n",
    .example = "  vmcp lint configs/\n"
               "  vmcp lint --strict --json web.json\n"
               "  vmcp lint - < web.json\n",
};

/* One run over all paths. */
struct lint {
    const struct args *args;
    bool colour;
    size_t files, errors, warnings;
    json_t *findings;
};

/* One finding; its level becomes an error where warnings are. */
static void report(struct lint *l, const char *path, const struct vmcp_diag *d)
{
    auto_free char *shown = strdup(path);
    bool is_error = d->is_error || l->args->strict;
    const char *kind = is_error ? "error" : "warning";
    const char *on = !l->colour ? "" : is_error ? "\033[31m" : "\033[33m";
    size_t line = d->line ? d->line : 1, column = d->line ? d->column : 1;
    l->errors += is_error;
    l->warnings += !is_error;
    if (l->args->json) {
        json_array_append_new(l->findings,
                              json_pack("{s:o, s:I, s:I, s:o, s:s, s:s}", "file",
                                        cmd_json_string(path), "line", (json_int_t)line, "column",
                                        (json_int_t)column, "pointer", cmd_json_string(d->pointer),
                                        "level", kind, "text", d->text));
        return;
    }
    if (shown) /* a file's name goes to a terminal, and may hold anything */
        vmcp_text_clean(shown);
    printf("%s:%zu:%zu: %s%s:%s %s\n", shown ? shown : "?", line, column, on, kind,
           l->colour ? "\033[0m" : "", d->text);
}

/* A finding about a whole file or folder. */
static void report_whole(struct lint *l, const char *path, const char *text)
{
    struct vmcp_diag d = {.is_error = true};
    snprintf(d.text, sizeof(d.text), "%s", text);
    report(l, path, &d);
}

/* All that was found in one file, in the order of its text. */
static void report_diags(struct lint *l, const char *path, struct vmcp_diags *diags, int rc,
                         const struct vmcp_error *err)
{
    size_t errors = 0;
    vmcp_diags_sort(diags);
    for (size_t i = 0; i < diags->count; i++) {
        errors += diags->items[i].is_error;
        report(l, path, &diags->items[i]);
    }
    if (diags->errors > errors) {
        char text[80];
        snprintf(text, sizeof(text), "and %zu more errors, which are not told here",
                 diags->errors - errors);
        report_whole(l, path, text);
    }
    if (rc < 0 && !diags->errors)
        report_whole(l, path, err->text);
}

static void lint_file(struct lint *l, const char *path)
{
    struct vmcp_error err = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true};
    auto_config struct vmcp_config config = {0};
    l->files++;
    int rc = vmcp_config_load(path, &config, &diags, &err);
    report_diags(l, path, &diags, rc, &err);
}

static int lint_stdin(struct lint *l, struct vmcp_error *err)
{
    struct vmcp_error wrong = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true};
    auto_config struct vmcp_config config = {0};
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_CONFIG_MAX);
    const char *name = l->args->machine ? l->args->machine : "stdin";
    l->files++;
    int rc = vmcp_file_read("-", VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    rc = vmcp_config_parse(name, b.data ? b.data : "", b.len, -1, &config, &diags, &wrong);
    report_diags(l, "<stdin>", &diags, rc, &wrong);
    return 0;
}

static int only_machine_files(const struct dirent *entry)
{
    return vmcp_config_is_file_name(entry->d_name);
}

static int lint_folder(struct lint *l, const char *folder, struct vmcp_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, only_machine_files, alphasort), rc = 0;
    if (count < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be opened: %s", strerror(errno));
    if (count == 0)
        report_whole(l, folder, "there is no machine file in it; NAME.json is wanted");
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    for (int i = 0; i < count; i++) {
        auto_free char *path = NULL;
        if (asprintf(&path, "%s%s%s", folder, slash, entries[i]->d_name) < 0) {
            path = NULL;
            rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
        } else {
            lint_file(l, path);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int lint_path(struct lint *l, const char *path, struct vmcp_error *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return lint_stdin(l, err);
    if (stat(path, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return lint_folder(l, path, err);
    lint_file(l, path);
    return 0;
}

/* Standard input can be read once, and only it lacks a name. */
static int check_stdin(const struct args *a, const struct vmcp_list *operands,
                       struct vmcp_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < operands->count; i++)
        count += strcmp(operands->items[i], "-") == 0;
    if (count > 1)
        return vmcp_fail(err, VMCP_E_USAGE, "`-` is given twice; standard input is one file");
    if (a->machine && !count)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--machine names the machine on standard input; a file has its own name");
    return a->machine ? vmcp_machine_name_check(a->machine, strlen(a->machine), err) : 0;
}

static void print_report(const struct lint *l)
{
    json_auto_t *all = json_pack("{s:s, s:I, s:I, s:I, s:O}", "code",
                                 l->errors ? vmcp_code_name(VMCP_E_CONFIG) : "ok", "files",
                                 (json_int_t)l->files, "errors", (json_int_t)l->errors, "warnings",
                                 (json_int_t)l->warnings, "findings", l->findings);
    if (l->args->json)
        cmd_print_json(all);
    fflush(stdout); /* in one log, the sum comes last */
    fprintf(stderr, "%zu machine file%s: %zu error%s, %zu warning%s\n", l->files,
            l->files == 1 ? "" : "s", l->errors, l->errors == 1 ? "" : "s", l->warnings,
            l->warnings == 1 ? "" : "s");
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    json_auto_t *findings = json_array();
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    struct lint l = {.args = &a, .colour = cmd_colour(), .findings = findings};
    result->json = a.json;
    rc = check_stdin(&a, &operands, err);
    for (size_t i = 0; rc == 0 && i < operands.count; i++)
        rc = lint_path(&l, operands.items[i], err);
    if (rc < 0)
        return rc;
    print_report(&l);
    result->exit = l.errors ? VMCP_EXIT_INPUT : VMCP_EXIT_DONE;
    return 0;
}

const struct cmd_verb cmd_lint = {"lint", &command, run};
