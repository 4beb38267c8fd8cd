/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `schedule`: signed jobs, each at its times. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/service.h"
#include "launch.h"
#include "lib/file.h"
#include "lib/name.h"
#include "run_job.h"

enum { SHOWN = 10, NAMES_FILE_MAX = VMCP_MACHINES_MAX * (VMCP_NAME_MAX + 1), ARENAS = 2 };

struct args {
    struct job_args job;
    struct vmcp_list names;
    const char *names_file, *metrics;
    int64_t refresh, offline_grace, stop_grace;
    bool explain;
};

#define AT(field)  offsetof(struct args, job.settings.field)
#define OWN(field) offsetof(struct args, field)
#define MONTH_S    (31 * 86400)

static const struct vmcp_option options[] = {
    {"job", "NAME", VMCP_OPT_LIST, OWN(names), 0, 0, "a job to run at its times"},
    {"jobs-from", "FILE", VMCP_OPT_STRING, OWN(names_file), 0, 0,
     "further jobs: a file with a name on each line"},
    {"explain", NULL, VMCP_OPT_FLAG, OWN(explain), 0, 0,
     "print the next ten times of each job, and run nothing"},
    {"refresh", "TIME", VMCP_OPT_TIME, OWN(refresh), 1, 86400,
     "how often each job is fetched, beside its runs (5m)"},
    {"offline-grace", "TIME", VMCP_OPT_TIME, OWN(offline_grace), 0, MONTH_S,
     "run what was verified so long ago where the responder is gone (0)"},
    {"parallel", "N", VMCP_OPT_INT, AT(parallel), 1, 64, "how many jobs are at work at once (16)"},
    {"stop-grace", "TIME", VMCP_OPT_TIME, OWN(stop_grace), 0, 3600,
     "how long what is being sent may take at the end (20s)"},
    {"metrics", "ADDR:PORT", VMCP_OPT_STRING, OWN(metrics), 0, 0, "serve /metrics there"},
    JOB_ROWS(AT, offsetof(struct args, job.allow_uri)),
    {0},
};

const struct vmcp_command launch_schedule_command = {
    .name = "vmcp-launch schedule",
    .operands = "",
    .summary = "run signed jobs at their times, as a service",
    .options = options,
    .details =
        "Fetches each job with a fresh salt before each of its runs, and every --refresh. One "
        "that\nis not there or not good stops, and is looked at again at the next refresh. No job "
        "overlaps\nitself: a run that is late delays the next. Where the responder does not "
        "answer, a run is\ntried for as long as --boot-timeout, and then with --offline-grace as "
        "it was verified last.\n\nSIGHUP refreshes all jobs now, SIGTERM ends the service: see "
        "`vmcp-launch jobs` for what\nbecame of the runs. There is a unit file, "
        "vmcp-launch-schedule.service.\n",
    .example = "  vmcp-launch schedule --job resize-web --job armor-offices \\\n"
               "      --endpoint https://cfg.example.org --trust cfg.example.org.pub\n"
               "  vmcp-launch schedule --job resize-web --explain --endpoint "
               "https://cfg.example.org \\\n"
               "      --trust cfg.example.org.pub\n",
};

/* The names of all jobs, borrowed from the command line and from `text`. */
struct names {
    const char **items;
    size_t count;
    struct vmcp_buf text;
};

static void names_clear(struct names *names)
{
    free(names->items);
    vmcp_buf_clear(&names->text);
}

static int add_name(struct names *names, const char *name, struct vmcp_error *err)
{
    int rc = vmcp_machine_name_check(name, strlen(name), err);
    if (rc < 0)
        return rc;
    const char **more = realloc(names->items, (names->count + 1) * sizeof(*more));
    if (!more)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the names of jobs");
    names->items = more;
    names->items[names->count++] = name;
    return 0;
}

/* A name on each line; empty lines and what begins with # count for nothing. */
static int read_names(const char *path, struct names *names, struct vmcp_error *err)
{
    struct vmcp_error why = {0};
    int line = 0;
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &names->text, err);
    if (rc == 0 && names->text.len && strlen(names->text.data) != names->text.len)
        return vmcp_fail_at(err, VMCP_E_USAGE, path, "there is a NUL in it");
    for (char *rest = names->text.data; rc == 0 && rest;) {
        char *text = strsep(&rest, "\n");
        line++;
        text += strspn(text, " \t\r");
        text[strcspn(text, " \t\r#")] = '\0';
        if (*text && add_name(names, text, &why) < 0)
            rc = vmcp_fail_at(err, why.code, path, "line %d: %s", line, why.text);
    }
    return rc;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect_names(const struct args *a, struct names *names, struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->names.count; i++)
        rc = add_name(names, a->names.items[i], err);
    if (rc == 0 && a->names_file)
        rc = read_names(a->names_file, names, err);
    if (rc < 0)
        return rc;
    if (!names->count)
        return vmcp_fail(err, VMCP_E_USAGE, "no job: give --job NAME or --jobs-from FILE");
    if (names->count > VMCP_MACHINES_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "%zu jobs; %d is the most", names->count,
                         VMCP_MACHINES_MAX);
    qsort(names->items, names->count, sizeof(*names->items), compare);
    for (size_t i = 1; i < names->count; i++)
        if (strcmp(names->items[i - 1], names->items[i]) == 0)
            return vmcp_fail(err, VMCP_E_USAGE, "%s is named twice", names->items[i]);
    return 0;
}

static int explain_job(struct launch_jobs *jobs, const struct launch_signed_job *job,
                       struct vmcp_error *err)
{
    auto_zone struct vmcp_zone *zone = NULL;
    int64_t at = jobs->now_ms(jobs->clock_arg) / 1000;
    json_t *times = json_array();
    int rc = vmcp_zone_load(job->job.time_zone, &zone, err);
    bool plain = !jobs->run.report->json;
    json_t *row = json_pack("{s:s, s:s, s:s, s:I, s:o}", "job", job->name, "schedule",
                            job->job.schedule_text, "timeZone", job->job.time_zone, "serial",
                            (json_int_t)job->answer.serial, "times", times);
    json_array_append_new(launch_report_array(jobs->run.report, "jobs"), row);
    if (rc == 0 && plain)
        printf("%s: %s, %s\n", job->name, job->job.schedule_text, job->job.time_zone);
    for (int i = 0; rc == 0 && i < SHOWN; i++) {
        char text[VMCP_ZONE_TEXT_CHARS];
        if (!vmcp_schedule_next(&job->job.schedule, zone, at, &at))
            break;
        vmcp_zone_text(zone, at, text);
        json_array_append_new(times, json_string(text));
        if (plain)
            printf("  %s\n", text);
    }
    return rc;
}

static int explain_one(struct launch_worker *worker, const char *name, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    auto_signed_job struct launch_signed_job job = {0};
    const struct launch_run *run = &worker->jobs->run;
    int rc = launch_state_open_job(run->dir, run->domain, name, true, &state, err);
    if (rc == 0)
        rc = launch_worker_fetch(worker, &state, name, &job, NULL, err);
    if (rc == 0)
        rc = explain_job(worker->jobs, &job, err);
    return rc < 0 ? vmcp_error_locate(err, name) : rc;
}

/* All of them, though one of them fails: the first failure counts. */
static int explain(struct launch_jobs *jobs, const struct names *names, struct vmcp_error *err)
{
    auto_worker struct launch_worker worker = {0};
    int rc = launch_worker_begin(&worker, jobs, err), result = 0;
    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        struct vmcp_error why = {0};
        if (explain_one(&worker, names->items[i], &why) == 0)
            continue;
        launch_say(jobs->run.report, "%s: %s [%s]", names->items[i], why.text,
                   vmcp_code_name(why.code));
        if (result == 0)
            *err = why;
        result = -(int)err->code;
    }
    return rc < 0 ? rc : result;
}

static int run_verb(struct args *a, struct launch_report *report, struct vmcp_error *err)
{
    VMCP_AUTO(names_clear) struct names names = {.text = VMCP_BUF(NAMES_FILE_MAX)};
    auto_jobs struct launch_jobs jobs = LAUNCH_JOBS(&a->job.settings, report);
    jobs.allow_uri = a->job.allow_uri;
    int rc = collect_names(a, &names, err);
    if (rc == 0)
        rc = launch_run_begin(&jobs.run, err);
    if (rc == 0)
        rc = launch_settings_resolve(&a->job.settings, &jobs.run.metadata, true, err);
    if (rc == 0)
        rc = launch_jobs_begin(&jobs, err);
    if (rc < 0)
        return rc;
    launch_report_set(report, "domain", json_string(jobs.run.domain));
    if (a->explain)
        return explain(&jobs, &names, err);
    /* Sixteen threads that each parse a little now and then need no memory of their own. */
    mallopt(M_ARENA_MAX, ARENAS);
    struct launch_service_options o = {
        .jobs = &jobs,
        .names = names.items,
        .count = names.count,
        .parallel = (int)a->job.settings.parallel,
        .refresh_ms = a->refresh * 1000,
        .patience_ms = a->job.settings.boot_timeout * 1000,
        .offline_grace_ms = a->offline_grace * 1000,
        .stop_grace_ms = a->stop_grace * 1000,
        .metrics = a->metrics,
    };
    return launch_service_run(&o, err);
}

int launch_schedule_main(int argc, char **argv)
{
    struct args a = {.job = JOB_ARGS, .refresh = 300, .stop_grace = 20};
    auto_report struct launch_report report =
        LAUNCH_REPORT("schedule", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_schedule_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_schedule_command);
    if (rc == 0)
        rc = run_verb(&a, &report, &err);
    launch_settings_clear(&a.job.settings);
    return launch_report_end(&report, rc, &err);
}
