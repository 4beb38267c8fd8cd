/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/resource.h"
#include "history.h"
#include "lib/instant.h"

enum { NAME_WIDTH_MIN = 12 };

static const struct mark {
    enum launch_outcome outcome;
    char mark;
    const char *colour; /* SGR */
} marks[] = {
    {LAUNCH_OUTCOME_SUCCEEDED, '+', "32"}, {LAUNCH_OUTCOME_FAILED, '!', "31"},
    {LAUNCH_OUTCOME_DOUBT, '?', "33"},     {LAUNCH_OUTCOME_REFUSED, 'x', "35"},
    {LAUNCH_OUTCOME_MISSED, '.', "2"},     {LAUNCH_OUTCOME_OPEN, '~', "36"},
};
enum { MARKS = sizeof(marks) / sizeof(*marks) };

bool launch_timeline_wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static const struct mark *find_mark(const char *outcome)
{
    for (size_t i = 0; i < MARKS; i++)
        if (strcmp(launch_outcome_name(marks[i].outcome), outcome) == 0)
            return &marks[i];
    return NULL;
}

static void print_mark(const char *outcome, bool colour)
{
    const struct mark *m = find_mark(outcome);
    if (m && colour)
        printf("\033[%sm%c\033[0m ", m->colour, m->mark);
    else
        printf("%c ", m ? m->mark : '*');
}

/* A member as text; "" where it is not there. */
static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static void time_of(const json_t *row, const char *key, char ret[static VMCP_INSTANT_CHARS])
{
    vmcp_instant_text(json_integer_value(json_object_get(row, key)) / 1000, ret);
}

/* Text that an error, an answer or a job brought. */
static void print_clean(const char *before, const char *text)
{
    char clean[2200];
    launch_clean(text, clean, sizeof(clean));
    if (clean[0])
        printf("%s%s\n", before, clean);
}

static bool have_one_domain(const json_t *jobs)
{
    const char *first = text_of(json_array_get(jobs, 0), "domain");
    for (size_t i = 1; i < json_array_size(jobs); i++)
        if (strcmp(first, text_of(json_array_get(jobs, i), "domain")) != 0)
            return false;
    return true;
}

static void print_job(const json_t *job, int width, bool domain, bool colour)
{
    const json_t *line = json_object_get(job, "timeline");
    size_t runs = json_array_size(line);
    char when[VMCP_INSTANT_CHARS];
    printf("%-*s  ", width, text_of(job, "job"));
    for (size_t i = runs; i < LAUNCH_TIMELINE_RUNS; i++)
        fputs("  ", stdout);
    for (size_t i = 0; i < runs; i++)
        print_mark(json_string_value(json_array_get(line, i)), colour);
    time_of(job, "scheduleMs", when);
    if (runs)
        printf(" %s %s", when, text_of(job, "outcome"));
    else
        fputs(" no run yet", stdout);
    fputs(json_is_true(json_object_get(job, "paused")) ? ", paused" : "", stdout);
    if (domain)
        printf(", of %s", text_of(job, "domain"));
    putchar('\n');
}

void launch_timeline_print(const json_t *jobs)
{
    bool colour = launch_timeline_wants_colour(), domain = !have_one_domain(jobs);
    int width = NAME_WIDTH_MIN;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        int len = (int)strlen(text_of(json_array_get(jobs, i), "job"));
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < json_array_size(jobs); i++)
        print_job(json_array_get(jobs, i), width, domain, colour);
    if (!json_array_size(jobs))
        return;
    putchar('\n');
    for (size_t i = 0; i < MARKS; i++) {
        print_mark(launch_outcome_name(marks[i].outcome), colour);
        printf("%s%s", launch_outcome_name(marks[i].outcome), i + 1 < MARKS ? "   " : "\n");
    }
}

static void print_attempt(const json_t *a)
{
    char when[VMCP_INSTANT_CHARS], uri[2100];
    int64_t took = json_integer_value(json_object_get(a, "endedMs")) -
                   json_integer_value(json_object_get(a, "startedMs"));
    time_of(a, "startedMs", when);
    launch_clean(text_of(a, "uri"), uri, sizeof(uri));
    printf("    attempt %d, %s: %s", (int)json_integer_value(json_object_get(a, "number")), when,
           text_of(a, "outcome"));
    if (json_object_get(a, "status"))
        printf(", HTTP %d", (int)json_integer_value(json_object_get(a, "status")));
    if (json_object_get(a, "endedMs"))
        printf(", %lld ms", (long long)took);
    printf("\n      %s %s\n      requestId %s\n", text_of(a, "method"), uri,
           text_of(a, "requestId"));
    print_clean("      operation ", text_of(a, "operation"));
    print_clean("      ", text_of(a, "error"));
    print_clean("      answer ", text_of(a, "body"));
}

static void print_run(const json_t *run, bool colour)
{
    const json_t *attempts = json_object_get(run, "attempts");
    const char *error = text_of(run, "error");
    const json_t *last = json_array_get(attempts, json_array_size(attempts) - 1);
    char when[VMCP_INSTANT_CHARS];
    time_of(run, "scheduleMs", when);
    print_mark(text_of(run, "outcome"), colour);
    printf("%s  %s%s, serial %lld\n", when, text_of(run, "outcome"),
           json_is_true(json_object_get(run, "manual")) ? ", by hand" : "",
           (long long)json_integer_value(json_object_get(run, "serial")));
    if (!last || strcmp(error, text_of(last, "error")) != 0)
        print_clean("    ", error);
    for (size_t i = 0; i < json_array_size(attempts); i++)
        print_attempt(json_array_get(attempts, i));
}

void launch_timeline_print_runs(const json_t *runs)
{
    bool colour = launch_timeline_wants_colour();
    for (size_t i = 0; i < json_array_size(runs); i++)
        print_run(json_array_get(runs, i), colour);
}
