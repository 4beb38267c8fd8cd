/* SPDX-License-Identifier: Apache-2.0 */
#include "act.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cloud/instance.h"
#include "plan/plan.h"
#include "plan/session.h"
#include "state/intent.h"
#include "state/settle.h"

enum { POLL_S = 2 };

/* What a status of a VM that is ours asks for. */
static const struct {
    const char *status, *would, *verb, *outcome;
} statuses[] = {
    {"RUNNING", "none", NULL, "running"},     {"PROVISIONING", "wait", NULL, NULL},
    {"STAGING", "wait", NULL, NULL},          {"STOPPING", "wait", NULL, NULL},
    {"SUSPENDING", "wait", NULL, NULL},       {"REPAIRING", "wait", NULL, NULL},
    {"DEPROVISIONING", "wait", NULL, NULL},   {"TERMINATED", "start", "start", "started"},
    {"STOPPED", "start", "start", "started"}, {"SUSPENDED", "resume", "resume", "resumed"},
};

static int find_status(const json_t *instance, size_t *ret, struct vmcp_error *err)
{
    const char *status = launch_instance_status(instance);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        if (strcmp(statuses[i].status, status) == 0) {
            *ret = i;
            return 0;
        }
    char clean[40];
    launch_clean(status, clean, sizeof(clean));
    return vmcp_fail(err, VMCP_E_API, "the VM's status is %s, which this launcher does not know",
                     clean);
}

int launch_job_plan(struct launch_job *job, struct vmcp_error *err)
{
    const char *zone = job->subject->settings->zones.items[0];
    return launch_plan_make(job->subject, zone, job->number, &job->plan, err);
}

static int get(struct launch_run *run, struct launch_job *job, const char *zone,
               struct vmcp_error *err)
{
    json_t *instance = NULL;
    int rc = launch_instance_get(&run->compute, zone, job->plan.name, &instance, err);
    if (rc < 0)
        return rc;
    json_decref(job->instance);
    job->instance = instance;
    snprintf(job->zone, sizeof(job->zone), "%s", zone);
    return 0;
}

static int check_session(const struct launch_job *job, struct vmcp_error *err)
{
    const struct launch_subject *s = job->subject;
    int rc = launch_session_check(job->instance, s->domain, s->machine,
                                  launch_parameter_string(s->answer, "secret", ""), err);
    return rc < 0 ? vmcp_error_locate(err, job->plan.name) : 0;
}

/* Is the VM that has the name ours, and what differs from the plan? It is asked after every read:
 * what is told is kept in job->drift, so that nothing is told twice. */
static int judge(struct launch_run *run, struct launch_job *job, size_t *ret_status,
                 struct vmcp_error *err)
{
    int rc = check_session(job, err);
    if (rc < 0)
        return rc;
    rc = find_status(job->instance, ret_status, err);
    if (rc < 0)
        return vmcp_error_locate(err, job->plan.name);
    json_auto_t *drift = launch_session_drift(job->instance, job->plan.body);
    if (!drift)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory to compare a VM with its plan");
    for (size_t i = 0; i < json_array_size(drift) && !json_equal(drift, job->drift); i++)
        launch_warn(run->report, "%s differs from what was signed: %s", job->plan.name,
                    json_string_value(json_array_get(drift, i)));
    json_decref(job->drift);
    job->drift = json_incref(drift);
    if (json_array_size(drift) && strcmp(statuses[*ret_status].would, "start") == 0 &&
        !run->settings->accept_drift)
        return vmcp_fail_at(err, VMCP_E_DRIFT, job->plan.name,
                            "the stopped VM differs from what was signed (%s); delete it to have "
                            "it made anew, or start it as it is with --accept-drift",
                            json_string_value(json_array_get(drift, 0)));
    return 0;
}

int launch_job_look(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    const struct vmcp_list *zones = &run->settings->zones;
    job->outcome = "create";
    for (size_t i = 0; i < zones->count; i++) {
        int rc = get(run, job, zones->items[i], err);
        if (rc < 0)
            return rc;
        if (!job->instance)
            continue;
        size_t status = 0;
        rc = judge(run, job, &status, err);
        if (rc == 0)
            job->outcome = statuses[status].would;
        return rc;
    }
    snprintf(job->zone, sizeof(job->zone), "%s", zones->items[0]);
    return 0;
}

/* Read the VM again. One that took the name meanwhile is not the one that was judged. */
static int read_again(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    char zone[LAUNCH_LABEL_MAX + 1], id[32];
    memcpy(zone, job->zone, sizeof(zone));
    snprintf(id, sizeof(id), "%s", launch_instance_id(job->instance));
    int rc = get(run, job, zone, err);
    if (rc < 0)
        return rc;
    if (!job->instance)
        return vmcp_fail_at(err, VMCP_E_API, job->plan.name,
                            "the VM went away while it was waited for; run this again");
    if (strcmp(id, launch_instance_id(job->instance)) == 0)
        return 0;
    return vmcp_fail_at(err, VMCP_E_SESSION, job->plan.name,
                        "another VM took the name while this one, %s, was waited for; run this "
                        "again",
                        id);
}

static void tell_status(const struct launch_run *run, const struct launch_job *job, const char *was,
                        const char *status)
{
    if (strcmp(status, "RUNNING") != 0 && strcmp(was, status) != 0)
        launch_say(run->report, "%s is %s", job->plan.name, status);
}

/* Take a VM that is ours to RUNNING. What this run made or started is not started again: it may
 * have powered itself off when its work was done, and then job->instance says so. */
static int bring_up(struct launch_run *run, struct launch_job *job, bool made,
                    struct vmcp_error *err)
{
    time_t end = launch_uptime() + run->settings->timeout;
    const char *was = "", *outcome = made ? "created" : "running";
    bool done = made;
    for (;;) {
        size_t i = 0;
        int rc = done ? check_session(job, err) : judge(run, job, &i, err);
        if (rc == 0 && done)
            rc = find_status(job->instance, &i, err);
        if (rc < 0)
            return rc;
        tell_status(run, job, was, statuses[i].status);
        was = statuses[i].status;
        job->outcome = outcome;
        if (strcmp(was, "RUNNING") == 0 || (done && statuses[i].verb))
            return 0;
        if (launch_uptime() >= end)
            return vmcp_fail_at(err, VMCP_E_TIMEOUT, job->plan.name,
                                "the VM is still %s after %d s", was, (int)run->settings->timeout);
        if (statuses[i].verb) {
            outcome = statuses[i].outcome;
            done = true;
            rc = launch_instance_act(&run->compute, job->zone, launch_instance_id(job->instance),
                                     statuses[i].verb, (int)run->settings->timeout, err);
        } else {
            launch_sleep_ms(POLL_S * 1000);
        }
        if (rc == 0)
            rc = read_again(run, job, err);
        if (rc < 0)
            return rc;
    }
}

/* Did this run settle the insert that made it? Then it is as if this run had made it. */
static bool was_settled(const struct launch_run *run, const json_t *instance)
{
    const char *id = launch_instance_id(instance);
    for (size_t i = 0; i < json_array_size(run->settled); i++)
        if (strcmp(json_string_value(json_array_get(run->settled, i)), id) == 0)
            return true;
    return false;
}

static int resume(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    bool made = was_settled(run, job->instance);
    if (!made)
        launch_say(run->report, "%s is there already, opened by the same session", job->plan.name);
    return bring_up(run, job, made, err);
}

/* A VM that is there though its operation failed: either it comes up, or it goes away again. Then
 * the operation was right, and only then may another zone be tried. */
static int bring_up_doubtful(struct launch_run *run, struct launch_job *job,
                             const struct vmcp_error *failure, struct vmcp_error *err)
{
    char id[32];
    snprintf(id, sizeof(id), "%s", launch_instance_id(job->instance));
    int rc = bring_up(run, job, false, err);
    if (rc == 0 && strcmp(job->outcome, "running") == 0)
        job->outcome = "created";
    if (rc == 0 || job->instance)
        return rc;
    rc = launch_state_drop_vm(&run->state, id, run->compute.base, err);
    if (rc < 0)
        return rc;
    *err = *failure;
    return -VMCP_E_OPERATION;
}

/* Insert in one zone, with its intent. *ret_stock_out: nothing is there, and another may be tried.
 */
static int insert(struct launch_run *run, struct launch_job *job, const struct launch_plan *plan,
                  bool *ret_stock_out, struct vmcp_error *err)
{
    auto_intent struct launch_intent intent = {0};
    auto_outcome struct launch_outcome outcome = {0};
    snprintf(job->zone, sizeof(job->zone), "%s", plan->zone);
    int rc = launch_intent_open(&run->state, &run->compute, "vm", plan->zone, plan->name,
                                plan->body, &intent, err);
    if (rc < 0)
        return rc;
    launch_say(run->report, "inserting %s in %s, %s", plan->name, plan->zone,
               launch_last_part(json_string_value(json_object_get(plan->body, "machineType"))));
    rc = launch_settle(&run->compute, &run->state, &intent, (int)run->settings->timeout, &outcome,
                       err);
    *ret_stock_out = rc < 0 && outcome.stock_out;
    if (rc < 0)
        return rc;
    if (outcome.taken) { /* somebody was faster: perhaps a launcher of the same session */
        rc = get(run, job, plan->zone, err);
        if (rc == 0 && !job->instance)
            rc = vmcp_fail_at(err, VMCP_E_API, plan->name,
                              "the name was taken for a moment only; "
                              "run this again");
        if (rc == 0)
            rc = check_session(job, err);
        return rc < 0 ? rc : resume(run, job, err);
    }
    json_decref(job->instance);
    job->instance = steal(&outcome.instance);
    if (outcome.failure.code == VMCP_OK)
        return bring_up(run, job, true, err);
    rc = bring_up_doubtful(run, job, &outcome.failure, err);
    *ret_stock_out = rc < 0 && !job->instance && outcome.stock_out;
    return rc;
}

static int insert_somewhere(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    const struct vmcp_list *zones = &run->settings->zones;
    bool stock_out = false;
    int rc = insert(run, job, &job->plan, &stock_out, err);
    for (size_t i = 1; rc < 0 && stock_out && i < zones->count; i++) {
        auto_plan struct launch_plan plan = {0};
        launch_warn(run->report, "%s has no room; trying %s", job->zone, zones->items[i]);
        stock_out = false;
        rc = launch_plan_make(job->subject, zones->items[i], job->number, &plan, err);
        if (rc == 0)
            rc = insert(run, job, &plan, &stock_out, err);
    }
    return rc;
}

int launch_job_act(struct launch_run *run, struct launch_job *job, struct vmcp_error *err)
{
    int rc = launch_job_look(run, job, err);
    if (rc < 0)
        return rc;
    return job->instance ? resume(run, job, err) : insert_somewhere(run, job, err);
}

void launch_job_clear(struct launch_job *job)
{
    launch_plan_clear(&job->plan);
    json_decref(job->instance);
    json_decref(job->drift);
    *job = (struct launch_job){0};
}
