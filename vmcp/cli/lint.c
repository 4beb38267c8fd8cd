/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/job.h"
#include "lib/name.h"

struct args {
    const char *machine, *job, *universe;
    bool json, strict;
};

static const struct vmcp_option options[] = {
    {"strict", NULL, VMCP_OPT_FLAG, offsetof(struct args, strict), 0, 0,
     "warnings are errors, and shown as such"},
    {"machine", "NAME", VMCP_OPT_STRING, offsetof(struct args, machine), 0, 0,
     "the name of the machine on standard input (stdin)"},
    {"job", "NAME", VMCP_OPT_STRING, offsetof(struct args, job), 0, 0,
     "the name of the job on standard input, which then has to be one"},
    {"universe-domain", "D", VMCP_OPT_STRING, offsetof(struct args, universe), 0, 0,
     "where the access tokens of jobs may go (googleapis.com)"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp lint",
    .operands = "PATH…",
    .summary = "check machine and job files",
    .options = options,
    .min_operands = 1,
    .max_operands = VMCP_LIST_MAX,
    .details =
        "PATH is a machine or job file NAME.json, a folder of machine files, whose jobs are in\n"
        "its subfolder jobs, or - for one file on standard input. One with a top-level job and\n"
        "no machine is a job file. Each finding is one line, FILE:LINE:COLUMN: error: … or "
        "warning: …,\n"
        "lines and columns counted from 1, columns in bytes; one about a whole file is at 1:1.\n"
        "\n"
        "Errors are what vmcpd would not load. Warnings are what Compute Engine will change\n"
        "(name, CPUs, memory, disk), cannot do (flags, diskURL) or the launcher would refuse,\n"
        "a short secret, and a script that downloads on a VM without an external address.\n"
        "Of a job: what means nothing here, and a time zone that this computer has not.\n"
        "Exit code 3 if there are errors.\n",
    .example = "  vmcp lint configs/\n"
               "  vmcp lint --strict --json web.json\n"
               "  vmcp lint - < web.json\n",
};

/* One run over all paths. */
struct lint {
    const struct args *args;
    bool colour;
    size_t files, jobs, errors, warnings;
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

/* Was it a job's file? One that is wrong leaves its findings only. */
static bool is_job(enum vmcp_config_want want, const struct vmcp_config *config,
                   const struct vmcp_diags *diags)
{
    bool found = want == VMCP_WANT_JOB || config->kind == VMCP_KIND_JOB;
    for (size_t i = 0; !found && want == VMCP_WANT_EITHER && i < diags->count; i++)
        found = strncmp(diags->items[i].pointer, "/job", 4) == 0;
    return found;
}

static void lint_file(struct lint *l, enum vmcp_config_want want, const char *path)
{
    struct vmcp_error err = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true, .universe = l->args->universe};
    auto_config struct vmcp_config config = {0};
    l->files++;
    int rc = vmcp_config_load_as(want, path, &config, &diags, &err);
    l->jobs += is_job(want, &config, &diags);
    report_diags(l, path, &diags, rc, &err);
}

static int lint_stdin(struct lint *l, struct vmcp_error *err)
{
    struct vmcp_error wrong = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true, .universe = l->args->universe};
    auto_config struct vmcp_config config = {0};
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_CONFIG_MAX);
    const char *name = l->args->machine ? l->args->machine : l->args->job;
    enum vmcp_config_want want = l->args->machine ? VMCP_WANT_MACHINE
                                 : l->args->job   ? VMCP_WANT_JOB
                                                  : VMCP_WANT_EITHER;
    l->files++;
    int rc = vmcp_file_read("-", VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    rc = vmcp_config_parse_as(want, name ? name : "stdin", b.data ? b.data : "", b.len, -1, &config,
                              &diags, &wrong);
    l->jobs += is_job(want, &config, &diags);
    report_diags(l, "<stdin>", &diags, rc, &wrong);
    return 0;
}

static int only_our_files(const struct dirent *entry)
{
    return vmcp_config_is_file_name(entry->d_name);
}

/* The files right in a folder. */
static int lint_files(struct lint *l, enum vmcp_config_want want, const char *folder,
                      int *ret_count, struct vmcp_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, only_our_files, alphasort), rc = 0;
    if (count < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be opened: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        auto_free char *path = NULL;
        if (rc == 0)
            rc = vmcp_file_path(folder, entries[i]->d_name, &path, err);
        if (rc == 0)
            lint_file(l, want, path);
        free(entries[i]);
    }
    free(entries);
    *ret_count = count;
    return rc;
}

/* Is it a folder of jobs, and not one of machines? Such a one lies in the other, under its name. */
static bool is_of_jobs(const char *folder)
{
    auto_free char *real = realpath(folder, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    return slash && strcmp(slash + 1, VMCP_JOBS_FOLDER) == 0;
}

/* As vmcpd would load it. */
static int lint_folder(struct lint *l, const char *folder, struct vmcp_error *err)
{
    auto_free char *jobs = NULL;
    int machine_count = 0, job_count = 0;
    bool of_jobs = is_of_jobs(folder);
    int rc =
        lint_files(l, of_jobs ? VMCP_WANT_EITHER : VMCP_WANT_MACHINE, folder, &machine_count, err);
    if (rc == 0)
        rc = vmcp_file_path(folder, VMCP_JOBS_FOLDER, &jobs, err);
    if (rc == 0 && access(jobs, F_OK) == 0)
        rc = lint_files(l, VMCP_WANT_JOB, jobs, &job_count, err);
    if (rc == 0 && machine_count + job_count == 0)
        report_whole(l, folder, "there is no machine file in it; NAME.json is wanted");
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
    lint_file(l, VMCP_WANT_EITHER, path);
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
    const char *name = a->machine ? a->machine : a->job;
    if (name && !count)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--%s names the %s on standard input; a file has its own name",
                         a->machine ? "machine" : "job", a->machine ? "machine" : "job");
    if (a->machine && a->job)
        return vmcp_fail(err, VMCP_E_USAGE, "--machine and --job: standard input is one of them");
    return name ? vmcp_machine_name_check(name, strlen(name), err) : 0;
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
    size_t machines = l->files - l->jobs;
    if (machines || !l->jobs)
        fprintf(stderr, "%zu machine file%s", machines, machines == 1 ? "" : "s");
    if (l->jobs)
        fprintf(stderr, "%s%zu job file%s", machines ? ", " : "", l->jobs, l->jobs == 1 ? "" : "s");
    fprintf(stderr, ": %zu error%s, %zu warning%s\n", l->errors, l->errors == 1 ? "" : "s",
            l->warnings, l->warnings == 1 ? "" : "s");
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.universe = VMCP_UNIVERSE_DEFAULT};
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
