/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `jobs`: what became of scheduled jobs, and which of them pause. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jobs/history.h"
#include "jobs/timeline.h"
#include "launch.h"
#include "lib/name.h"
#include "report.h"
#include "state/folder.h"

enum { RUNS_SHOWN = 10 };

struct args {
    const char *domain, *state_dir;
    int64_t limit;
    bool json;
};

static const struct vmcp_option options[] = {
    {"domain", "D", VMCP_OPT_STRING, offsetof(struct args, domain), 0, 0,
     "the jobs of this domain (all that are known)"},
    {"limit", "N", VMCP_OPT_INT, offsetof(struct args, limit), 1, LAUNCH_RUNS_KEPT,
     "history: how many runs (10)"},
    {"state-dir", "DIR", VMCP_OPT_STRING, offsetof(struct args, state_dir), 0, 0,
     "where the state is"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print one JSON object on stdout"},
    {0},
};

const struct vmcp_command launch_jobs_command = {
    .name = "vmcp-launch jobs",
    .operands = "list | show NAME | history NAME | pause NAME | resume NAME",
    .summary = "show what became of scheduled jobs, pause and resume them",
    .options = options,
    .min_operands = 1,
    .max_operands = 2,
    .details =
        "Of the history in the state folder; no responder is asked. `list` has a line for each "
        "job\nwith a mark for each of its last runs, the newest to the right: + succeeded, ! "
        "failed,\n? in doubt (it may have been carried out), x refused (never sent), . missed "
        "(nobody ran at\nthat time), ~ open. `show` is the last run with its attempts and what "
        "was answered,\n`history` the last runs with their attempts. A paused job is not run by "
        "its schedule until\nit is resumed, and `run-job` still runs it. What a job missed while "
        "it paused is not made\nup for.\n",
    .example = "  vmcp-launch jobs list\n"
               "  vmcp-launch jobs history resize-web --limit 3\n"
               "  vmcp-launch jobs pause resize-web --domain cfg.example.org\n",
};

/* One call of the verb. */
struct call {
    const struct args *args;
    struct launch_history *history;
    struct launch_report *report;
    json_t *jobs;                /* those of --domain, or all; borrowed from the report */
    struct launch_job_name name; /* of the verbs that take one */
    const json_t *row;           /* of `jobs`, or NULL: nothing is known of it */
    char domain[VMCP_DOMAIN_MAX + 1];
};

static int64_t now_ms(void)
{
    return time(NULL) * INT64_C(1000);
}

static int read_jobs(struct call *c, struct vmcp_error *err)
{
    json_auto_t *all = NULL;
    int rc = launch_history_jobs(c->history, &all, err);
    c->jobs = launch_report_array(c->report, "jobs");
    for (size_t i = 0; rc == 0 && i < json_array_size(all); i++) {
        json_t *job = json_array_get(all, i), *timeline = NULL;
        const char *domain = json_string_value(json_object_get(job, "domain"));
        if (c->args->domain && strcmp(domain, c->args->domain) != 0)
            continue;
        struct launch_job_name name = {domain, json_string_value(json_object_get(job, "job"))};
        rc = launch_history_timeline(c->history, &name, LAUNCH_TIMELINE_RUNS, &timeline, err);
        if (rc == 0 && (json_object_set_new(job, "timeline", timeline) < 0 ||
                        json_array_append(c->jobs, job) < 0))
            rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for jobs");
    }
    return rc;
}

static int list(struct call *c, struct vmcp_error *err)
{
    int rc = read_jobs(c, err);
    if (rc < 0 || c->args->json)
        return rc;
    launch_timeline_print(c->jobs);
    if (!json_array_size(c->jobs))
        launch_say(c->report, "no job has run from here");
    return 0;
}

/* Of which domain it is: what --domain says, or the history where it knows one job of that name. */
static int find_domain(struct call *c, const json_t *all, struct vmcp_error *err)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *row = json_array_get(all, i);
        const char *domain = json_string_value(json_object_get(row, "domain"));
        if (strcmp(json_string_value(json_object_get(row, "job")), c->name.job) != 0 ||
            (c->args->domain && strcmp(domain, c->args->domain) != 0))
            continue;
        if (c->row)
            return vmcp_fail(err, VMCP_E_USAGE,
                             "%s is a job of more than one domain: give --domain", c->name.job);
        c->row = row;
        snprintf(c->domain, sizeof(c->domain), "%s", domain);
    }
    if (c->args->domain)
        snprintf(c->domain, sizeof(c->domain), "%s", c->args->domain);
    if (!c->domain[0])
        return vmcp_fail(err, VMCP_E_USAGE,
                         "%s has not run from here: give --domain, whose job it is", c->name.job);
    c->name.domain = c->domain;
    launch_report_set(c->report, "domain", json_string(c->domain));
    launch_report_set(c->report, "job", json_string(c->name.job));
    return 0;
}

static int history(struct call *c, int limit, bool bodies, struct vmcp_error *err)
{
    json_auto_t *runs = NULL;
    int rc = launch_history_runs(c->history, &c->name, limit, bodies, &runs, err);
    if (rc < 0)
        return rc;
    launch_report_set(c->report, "runs", json_incref(runs));
    if (!c->args->json)
        launch_timeline_print_runs(runs);
    if (!json_array_size(runs))
        launch_say(c->report, "%s of %s has not run from here", c->name.job, c->domain);
    return 0;
}

static int show(struct call *c, struct vmcp_error *err)
{
    bool paused = json_is_true(json_object_get(c->row, "paused"));
    long long runs = json_integer_value(json_object_get(c->row, "runs"));
    launch_report_set(c->report, "paused", json_boolean(paused));
    launch_report_set(c->report, "runsKept", json_integer(runs));
    if (!c->args->json)
        printf("%s of %s: %lld run%s kept%s\n", c->name.job, c->domain, runs, runs == 1 ? "" : "s",
               paused ? ", paused" : "");
    return history(c, 1, true, err);
}

static int pause_job(struct call *c, bool paused, struct vmcp_error *err)
{
    bool was = json_is_true(json_object_get(c->row, "paused"));
    int rc = launch_history_pause(c->history, &c->name, paused, now_ms(), err);
    /* What went by while it paused was not missed. */
    if (rc == 0 && was && !paused)
        rc = launch_history_watch(c->history, &c->name, now_ms(), err);
    if (rc < 0)
        return rc;
    launch_report_set(c->report, "paused", json_boolean(paused));
    launch_say(c->report, "%s of %s %s", c->name.job, c->domain,
               paused && was ? "was paused already"
               : paused      ? "is paused"
               : was         ? "is resumed"
                             : "was not paused");
    return 0;
}

static int with_name(struct call *c, const char *what, struct vmcp_error *err)
{
    json_auto_t *all = NULL;
    int rc = launch_history_jobs(c->history, &all, err);
    if (rc == 0)
        rc = find_domain(c, all, err);
    if (rc < 0)
        return rc;
    if (strcmp(what, "show") == 0)
        return show(c, err);
    if (strcmp(what, "history") == 0)
        return history(c, c->args->limit ? (int)c->args->limit : RUNS_SHOWN, false, err);
    return pause_job(c, strcmp(what, "pause") == 0, err);
}

static int check_words(const struct args *a, const struct vmcp_list *operands,
                       struct vmcp_error *err)
{
    static const char *const verbs[] = {"show", "history", "pause", "resume"};
    const char *what = operands->items[0];
    bool known = false, is_list = strcmp(what, "list") == 0;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        known |= strcmp(what, verbs[i]) == 0;
    if (!known && !is_list)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "`%.64s`: list, show, history, pause or resume is wanted", what);
    if (known && operands->count < 2)
        return vmcp_fail(err, VMCP_E_USAGE, "%s wants the name of a job", what);
    if (is_list && operands->count > 1)
        return vmcp_fail(err, VMCP_E_USAGE, "list takes no name; `show NAME` is of one job");
    if (a->limit && strcmp(what, "history") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--limit is for history");
    int rc = a->domain ? vmcp_domain_check(a->domain, strlen(a->domain), err) : 0;
    if (rc == 0 && known)
        rc = vmcp_machine_name_check(operands->items[1], strlen(operands->items[1]), err);
    return rc;
}

static int run_verb(const struct args *a, const struct vmcp_list *operands,
                    struct launch_report *report, struct vmcp_error *err)
{
    auto_free char *dir = NULL;
    auto_history struct launch_history *opened = NULL;
    int rc = check_words(a, operands, err);
    if (rc == 0)
        rc = launch_state_dir(a->state_dir, &dir, err);
    if (rc == 0)
        rc = launch_history_open(dir, &opened, err);
    if (rc < 0)
        return rc;
    launch_report_set(report, "stateDir", json_string(dir));
    struct call c = {.args = a, .history = opened, .report = report};
    if (operands->count < 2)
        return list(&c, err);
    c.name.job = operands->items[1];
    return with_name(&c, operands->items[0], err);
}

int launch_jobs_main(int argc, char **argv)
{
    struct args a = {0};
    auto_report struct launch_report report = LAUNCH_REPORT("jobs", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_jobs_command, argc, argv, &a, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_jobs_command);
    if (rc == 0)
        rc = run_verb(&a, &operands, &report, &err);
    return launch_report_end(&report, rc, &err);
}
