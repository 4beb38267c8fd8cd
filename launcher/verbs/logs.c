/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `logs`: what a VM wrote to its serial port. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cloud/instance.h"
#include "launch.h"
#include "option_rows.h"
#include "target.h"

enum { POLL_MS = 2000 };

static const struct vmcp_option options[] = {
    {"follow", NULL, VMCP_OPT_FLAG, offsetof(struct target_args, follow), 0, 0,
     "go on until the VM has stopped"},
    {"port", "N", VMCP_OPT_INT, offsetof(struct target_args, port), 1, 4, "serial port (1)"},
    TARGET_ROWS,
    {0},
};

const struct vmcp_command launch_logs_command = {
    .name = "vmcp-launch logs",
    .operands = "[NAME|ID]",
    .summary = "show what a VM wrote to its serial port",
    .options = options,
    .max_operands = 1,
    .details =
        "Finds the VM as `status` does. On a terminal, characters that would steer it are shown "
        "as\nspaces; elsewhere every byte is as it came.\n",
    .example = "  vmcp-launch logs --domain cfg.example.org --machine web --follow\n"
               "  vmcp-launch logs --domain cfg.example.org --machine web vm-1\n",
};

/* Whatever runs on the VM wrote this. */
static void print(const char *text)
{
    bool clean = isatty(STDOUT_FILENO);
    while (*text) {
        bool line = *text == '\n' || *text == '\t';
        size_t steers = clean && !line ? launch_steers(text) : 0;
        putchar(steers ? ' ' : (unsigned char)*text);
        text += steers ? steers : 1;
    }
    fflush(stdout);
}

/* The output from `start` on; *ret_next is where it goes on. New reference. */
static int read_port(const struct launch_compute *there, const struct launch_target *t, int port,
                     long long start, json_t **ret, long long *ret_next, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX + 128];
    snprintf(path, sizeof(path), "projects/%s/zones/%s/instances/%s/serialPort?port=%d&start=%lld",
             t->project, t->zone, t->id, port, start);
    int rc = launch_compute_get(there, path, ret, err);
    if (rc < 0)
        return vmcp_error_locate(err, t->name);
    const char *next = json_string_value(json_object_get(*ret, "next"));
    *ret_next = next ? strtoll(next, NULL, 10) : start;
    return 0;
}

static bool has_stopped(const json_t *instance)
{
    const char *status = launch_instance_status(instance);
    return !instance || strcmp(status, "TERMINATED") == 0 || strcmp(status, "STOPPED") == 0;
}

/* Until there is nothing more and never will be. */
static int follow(const struct launch_compute *there, struct launch_target *t, int port,
                  long long next, struct vmcp_error *err)
{
    for (;;) {
        json_auto_t *instance = NULL, *output = NULL;
        long long was = next;
        int rc = launch_instance_get(there, t->zone, t->id, &instance, err);
        bool stopped = has_stopped(instance);
        if (rc == 0 && instance)
            rc = read_port(there, t, port, next, &output, &next, err);
        if (rc < 0)
            return rc;
        const char *text = json_string_value(json_object_get(output, "contents"));
        print(text ? text : "");
        if (stopped && next == was)
            return 0;
        launch_sleep_ms(POLL_MS);
    }
}

static int act(struct launch_run *run, const struct target_args *args,
               struct launch_targets *targets, struct vmcp_error *err)
{
    struct launch_compute there = run->compute;
    json_auto_t *output = NULL;
    long long next = 0;
    if (args->follow && args->settings.json)
        return vmcp_fail(err, VMCP_E_USAGE, "--follow has no end to make one object of: no --json");
    if (targets->count > 1)
        return vmcp_fail(err, VMCP_E_USAGE, "there are %zu VMs; name one, as `status` lists them",
                         targets->count);
    struct launch_target *t = targets->items;
    if (!targets->count || !t->instance)
        return vmcp_fail_at(err, VMCP_E_SESSION, run->machine, "there is no such VM");
    there.project = t->project;
    int rc = read_port(&there, t, (int)args->port, 0, &output, &next, err);
    if (rc < 0)
        return rc;
    target_report(run, launch_target_row(t));
    const char *text = json_string_value(json_object_get(output, "contents"));
    launch_report_set(run->report, "contents", json_string(text ? text : ""));
    if (!args->settings.json)
        print(text ? text : "");
    return args->follow ? follow(&there, t, (int)args->port, next, err) : 0;
}

int launch_logs_main(int argc, char **argv)
{
    return target_main(&launch_logs_command, "logs", false, act, argc, argv);
}
