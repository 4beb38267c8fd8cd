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
#include "lib/macro.h"

enum { SECRET_SHORT = 16 };

struct args {
    bool json, strict;
};

static const struct vmcp_option options[] = {
    {"strict", NULL, VMCP_OPT_FLAG, offsetof(struct args, strict), 0, 0,
     "warnings count as errors"},
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
    .details = "PATH is a machine file NAME.json, or a folder of them. Each finding is one line,\n"
               "FILE:LINE:COLUMN: error: …, columns in bytes. Exit code 3 if there are errors.\n",
    .example = "  vmcp lint configs/\n",
};

/* One run over all paths. */
struct lint {
    bool json;
    size_t files, errors, warnings;
    json_t *findings;
};

static void report(struct lint *l, const char *path, size_t line, size_t column, bool is_error,
                   const char *text)
{
    const char *kind = is_error ? "error" : "warning";
    if (is_error)
        l->errors++;
    else
        l->warnings++;
    if (l->json)
        json_array_append_new(l->findings,
                              json_pack("{s:o, s:I, s:I, s:s, s:s}", "file", cmd_json_string(path),
                                        "line", (json_int_t)line, "column", (json_int_t)column,
                                        "level", kind, "text", text));
    else if (line)
        printf("%s:%zu:%zu: %s: %s\n", path, line, column, kind, text);
    else
        printf("%s: %s: %s\n", path, kind, text);
}

static void warn_of_secret(struct lint *l, const char *path, const struct vmcp_config *c)
{
    size_t len = json_string_length(json_object_get(c->machine, "secret"));
    if (len < SECRET_SHORT && !(c->macros & VMCP_MACRO_HMAC))
        report(l, path, 0, 0, false,
               "`secret` has under 16 characters: whoever can read the VM's metadata can guess it");
}

static void lint_file(struct lint *l, const char *path)
{
    struct vmcp_error err = {0};
    auto_diags struct vmcp_diags diags = {0};
    auto_config struct vmcp_config config = {0};
    l->files++;
    int rc = vmcp_config_load(path, &config, &diags, &err);
    for (size_t i = 0; i < diags.count; i++)
        report(l, path, diags.items[i].line, diags.items[i].column, diags.items[i].is_error,
               diags.items[i].text);
    if (rc < 0 && !diags.errors)
        report(l, path, 0, 0, true, err.text);
    if (rc == 0)
        warn_of_secret(l, path, &config);
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
        report(l, folder, 0, 0, true, "there is no machine file in it; NAME.json is wanted");
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
    if (stat(path, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return lint_folder(l, path, err);
    lint_file(l, path);
    return 0;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    json_auto_t *findings = json_array();
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    struct lint l = {.json = a.json, .findings = findings};
    result->json = a.json;
    for (size_t i = 0; rc == 0 && i < operands.count; i++)
        rc = lint_path(&l, operands.items[i], err);
    if (rc < 0)
        return rc;
    bool bad = l.errors || (a.strict && l.warnings);
    json_auto_t *all =
        json_pack("{s:s, s:I, s:I, s:I, s:O}", "code", bad ? vmcp_code_name(VMCP_E_CONFIG) : "ok",
                  "files", (json_int_t)l.files, "errors", (json_int_t)l.errors, "warnings",
                  (json_int_t)l.warnings, "findings", findings);
    if (a.json)
        cmd_print_json(all);
    fprintf(stderr, "%zu machine file%s: %zu error%s, %zu warning%s\n", l.files,
            l.files == 1 ? "" : "s", l.errors, l.errors == 1 ? "" : "s", l.warnings,
            l.warnings == 1 ? "" : "s");
    result->exit = bad ? VMCP_EXIT_INPUT : VMCP_EXIT_DONE;
    return 0;
}

const struct cmd_verb cmd_lint = {"lint", &command, run};
