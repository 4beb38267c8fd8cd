/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs `stop` and `delete`. */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/instance.h"
#include "launch.h"
#include "option_rows.h"
#include "pool.h"
#include "target.h"

static const struct vmcp_option options[] = {TARGET_ROWS, {0}};

static const char details[] =
    "Acts on VMs that were made from here, or whose session, domain and machine fit a freshly\n"
    "verified answer, and addresses them by their numeric ids: a VM that took the name later is "
    "not\n"
    "touched. Without a name it acts on all VMs of the machine; VM-1 is taken by its name only.\n";

const struct vmcp_command launch_stop_command = {
    .name = "vmcp-launch stop",
    .operands = "[NAME|ID…]",
    .summary = "stop a machine's VMs",
    .options = options,
    .max_operands = VMCP_LIST_MAX,
    .details = details,
    .example = "  vmcp-launch stop --endpoint https://cfg.example.org --machine web \\\n"
               "      --trust cfg.example.org.pub --project web-1234 --zone us-central1-a\n",
};

const struct vmcp_command launch_delete_command = {
    .name = "vmcp-launch delete",
    .operands = "[NAME|ID…]",
    .summary = "delete a machine's VMs, and forget them",
    .options = options,
    .max_operands = VMCP_LIST_MAX,
    .details = details,
    .example = "  vmcp-launch delete --domain cfg.example.org --machine web web-3 --dry-run\n"
               "  vmcp-launch delete --force 4242424242 --project web-1234 --zone us-central1-a\n",
};

static bool is_stopped(const json_t *instance)
{
    const char *status = launch_instance_status(instance);
    return strcmp(status, "TERMINATED") == 0 || strcmp(status, "STOPPED") == 0;
}

static int stop_one(struct launch_run *run, struct launch_target *t, const char **ret_outcome,
                    struct vmcp_error *err)
{
    struct launch_compute there = run->compute;
    there.project = t->project;
    *ret_outcome = !t->instance ? "gone" : is_stopped(t->instance) ? "none" : "stop";
    if (strcmp(*ret_outcome, "stop") != 0 || run->settings->dry_run)
        return 0;
    int rc = launch_instance_act(&there, t->zone, t->id, "stop", (int)run->settings->timeout, err);
    if (rc < 0)
        return rc;
    json_t *instance = NULL;
    rc = launch_instance_get(&there, t->zone, t->id, &instance, err);
    json_decref(t->instance);
    t->instance = instance;
    *ret_outcome = "stopped";
    return rc;
}

static int delete_one(struct launch_run *run, struct launch_target *t, const char **ret_outcome,
                      struct vmcp_error *err)
{
    struct launch_compute there = run->compute;
    there.project = t->project;
    *ret_outcome = t->instance ? "delete" : "gone";
    if (run->settings->dry_run)
        return 0;
    int rc = t->instance
                 ? launch_instance_delete(&there, t->zone, t->id, (int)run->settings->timeout, err)
                 : 0;
    if (rc == 0 && run->state.document)
        rc = launch_state_drop_vm(&run->state, t->id, there.base, err);
    if (rc < 0 || !t->instance)
        return rc;
    *ret_outcome = "deleted";
    json_decref(t->instance);
    t->instance = NULL;
    return 0;
}

typedef int (*one)(struct launch_run *run, struct launch_target *t, const char **ret_outcome,
                   struct vmcp_error *err);

struct work {
    struct launch_targets *targets;
    one act;
    json_t **rows;        /* one for each target; owned */
    pthread_mutex_t lock; /* over all below */
    int rc;               /* of the first that failed */
    struct vmcp_error why;
};

static bool do_one(void *arg, struct launch_run *run, int64_t i)
{
    struct work *w = arg;
    struct launch_target *t = &w->targets->items[i];
    const char *outcome = "";
    struct vmcp_error why = {0};
    bool dry = run->settings->dry_run;
    int rc = w->act(run, t, &outcome, &why);
    json_t *row = w->rows[i] = launch_target_row(t);
    json_object_set_new(row, dry ? "would" : "outcome", json_string(outcome));
    if (rc == 0) {
        launch_say(run->report, "%s (%s): %s%s", t->name, t->id, dry ? "would be: " : "", outcome);
        return true;
    }
    json_object_set_new(row, "code", json_string(vmcp_code_name(why.code)));
    launch_warn(run->report, "%s (%s) failed: %s", t->name, t->id, why.text);
    pthread_mutex_lock(&w->lock);
    if (w->rc == 0) {
        w->rc = rc;
        w->why = why;
    }
    pthread_mutex_unlock(&w->lock);
    return true;
}

/* All of them, several at once; the first error is the result. */
static int each(struct launch_run *run, struct launch_targets *targets, one act,
                struct vmcp_error *err)
{
    struct work w = {.targets = targets,
                     .act = act,
                     .rows = calloc(targets->count + 1, sizeof(json_t *)),
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    if (!w.rows)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a list of VMs");
    if (!targets->count)
        launch_say(run->report, "there is no VM to act on");
    int rc =
        launch_pool(run, (int64_t)targets->count, (int)run->settings->parallel, do_one, &w, &w.why);
    for (size_t i = 0; i < targets->count; i++)
        if (w.rows[i])
            target_report(run, w.rows[i]);
    free(w.rows);
    rc = rc < 0 ? rc : w.rc;
    if (rc < 0 && err)
        *err = w.why;
    return rc;
}

static int stop_all(struct launch_run *run, const struct target_args *args,
                    struct launch_targets *targets, struct vmcp_error *err)
{
    (void)args;
    return each(run, targets, stop_one, err);
}

static int delete_all(struct launch_run *run, const struct target_args *args,
                      struct launch_targets *targets, struct vmcp_error *err)
{
    (void)args;
    return each(run, targets, delete_one, err);
}

int launch_stop_main(int argc, char **argv)
{
    return target_main(&launch_stop_command, "stop", true, stop_all, argc, argv);
}

int launch_delete_main(int argc, char **argv)
{
    return target_main(&launch_delete_command, "delete", true, delete_all, argc, argv);
}
