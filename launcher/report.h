/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what a verb tells: plain lines for people on stderr, one JSON object on stdout.
 *
 *     auto_report struct launch_report report = LAUNCH_REPORT("launch", json);
 *     launch_say(&report, "asked %s", url);
 *     launch_report_set(&report, "machine", json_string(machine));
 *     return launch_report_end(&report, rc, &err);
 */
#ifndef LAUNCH_REPORT_H
#define LAUNCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/auto.h"
#include "lib/error.h"

struct launch_report {
    const char *verb;
    bool json;
    json_t *out;      /* members of the object, in the order they were set; NULL: none */
    json_t *warnings; /* strings; NULL: none */
    json_t *advice;   /* strings; NULL: none */
};

#define LAUNCH_REPORT(the_verb, as_json)    \
    {                                       \
        .verb = (the_verb), .json = as_json \
    }

/* A line of progress on stderr. */
void launch_say(const struct launch_report *report, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* What is waited for now: one line with a spinner on a terminal, a line as any other elsewhere. */
void launch_progress(const struct launch_report *report, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, marked as a warning, and kept for the object's `warnings`. */
void launch_warn(struct launch_report *report, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What may help, once each; kept for the object's `advice`. */
void launch_advise(struct launch_report *report, const char *advice);

/* Put a member into the object; takes the reference (NULL: nothing happens). */
void launch_report_set(struct launch_report *report, const char *key, json_t *value);
/* The member, made as an empty array if it is not there yet; borrowed. NULL without memory. */
json_t *launch_report_array(struct launch_report *report, const char *key);

/* JSON on stdout, by jansson's flags, with a newline. On a terminal nothing in it steers that. */
void launch_print_json(const json_t *value, size_t flags);

/* Say how it ended: the error on stderr, and with `json` the object, which begins with `code`.
 * Returns the exit code. */
int launch_report_end(struct launch_report *report, int rc, const struct vmcp_error *err);

void launch_report_clear(struct launch_report *report);
#define auto_report VMCP_AUTO(launch_report_clear)

#endif
