/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/instance.h"
#include "cloud/operation.h"
#include "cloud/resource.h"
#include "lib/json.h"
#include "plan/merge.h"

enum {
    OLD_S = 30 * 60,
    AHEAD_S = 60 /* what a clock may be set back by without an intent being of the future */
};

/* What all steps of one settlement need. */
struct settlement {
    const struct launch_compute *compute; /* with the intent's project */
    const struct launch_intent *intent;
    int timeout;
    struct launch_outcome *outcome;
    struct vmcp_error *err;
};

/* A random value in the metadata marks the VM that this very body made. */
static bool is_ours(const json_t *instance, const struct launch_intent *intent)
{
    static const char *const marks[] = {"vmcp-session", "vmcp-bootstrap"};
    json_auto_t *body = NULL;
    if (vmcp_json_parse_object(intent->body, strlen(intent->body), &body, NULL) < 0)
        return false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        const char *wanted = launch_metadata_item(body, marks[i]);
        const char *found = launch_metadata_item(instance, marks[i]);
        if (wanted)
            return found && strcmp(found, wanted) == 0;
    }
    return false;
}

/* Who has the name now? Fills the outcome. */
static int look_at_name(struct settlement *s)
{
    json_auto_t *instance = NULL;
    int rc = launch_instance_get(s->compute, s->intent->zone, s->intent->name, &instance, s->err);
    if (rc < 0)
        return rc;
    s->outcome->closed = true;
    if (instance && is_ours(instance, s->intent))
        s->outcome->instance = steal(&instance);
    else
        s->outcome->taken = instance;
    return 0;
}

/* The operation says that it failed. That is its word: the VM may be there all the same, and then
 * another zone would make a second one. */
static int failed(struct settlement *s, const char *code)
{
    struct vmcp_error why = *s->err;
    int rc = look_at_name(s);
    if (rc < 0)
        return rc;
    s->outcome->stock_out = strncmp(code, "ZONE_RESOURCE_POOL_EXHAUSTED", 28) == 0;
    if (s->outcome->instance) {
        s->outcome->failure = why;
        launch_warn(s->compute->report, "the operation failed (%s), and the VM %s is there", code,
                    s->intent->name);
    }
    if (s->outcome->instance || s->outcome->taken)
        return 0;
    *s->err = why;
    return -VMCP_E_OPERATION;
}

static int follow(struct settlement *s, const json_t *op)
{
    char code[64] = "";
    int rc = launch_operation_follow(s->compute, s->intent->zone, op, s->timeout, code, s->err);
    if (rc == -VMCP_E_OPERATION)
        return failed(s, code);
    if (rc == 0)
        rc = look_at_name(s);
    if (rc == 0 && !s->outcome->instance)
        return vmcp_fail_at(s->err, VMCP_E_OPERATION, s->intent->name,
                            "the operation is done, but the VM is not there any more");
    return rc;
}

/* Without sending anything: is there an operation of this requestId, or a VM? */
static int look_up(struct settlement *s)
{
    json_auto_t *op = NULL;
    int rc = launch_operation_find(s->compute, s->intent->zone, s->intent->request_id, &op, s->err);
    if (rc < 0)
        return rc;
    return op ? follow(s, op) : look_at_name(s);
}

/* The API said no. That is definite if this was the only try; else an earlier one may have been
 * accepted. What is answered with 200 and is no operation was perhaps accepted, too, and so was
 * what something in front of the API says no to. */
static int refused(struct settlement *s, const struct launch_reply *reply)
{
    struct vmcp_error why = {0};
    int rc = launch_reply_check(s->compute, reply, &why);
    bool garbled = !launch_reply_is_error(reply);
    bool only_try = !s->intent->found && !reply->repeated && !garbled;
    bool unknown = reply->status >= 500 || reply->status == 429 || reply->status == 401 ||
                   strcmp(reply->reason, "rateLimitExceeded") == 0 ||
                   strcmp(reply->reason, "RATE_LIMIT_EXCEEDED") == 0;
    if (!only_try && !unknown) {
        int looked = look_up(s);
        if (looked < 0 || s->outcome->instance)
            return looked;
    }
    s->outcome->closed = only_try || (!unknown && !garbled);
    *s->err = why;
    return rc;
}

/* The name is taken. After a try whose answer was lost that may be by the VM that it made and that
 * is not to be seen yet: the intent stays until there is one, or the intent is old. */
static int conflicts(struct settlement *s, const struct launch_reply *reply)
{
    bool only_try = !s->intent->found && !reply->repeated && launch_reply_is_error(reply);
    int rc = only_try ? look_at_name(s) : look_up(s);
    if (rc < 0 || s->outcome->instance || s->outcome->taken)
        return rc;
    s->outcome->closed = only_try;
    return launch_reply_check(s->compute, reply, s->err);
}

static int send(struct settlement *s)
{
    char path[LAUNCH_PATH_MAX];
    auto_reply struct launch_reply reply = {0};
    const char *body = s->intent->body;
    snprintf(path, sizeof(path), "projects/%s/zones/%s/instances?requestId=%s", s->intent->project,
             s->intent->zone, s->intent->request_id);
    int rc = launch_compute_call(s->compute, "POST", path, body, strlen(body), 0, &reply, s->err);
    if (rc < 0) {
        s->outcome->closed = !s->intent->found && !reply.repeated; /* it was never sent */
        return rc;
    }
    if (reply.status >= 200 && reply.status < 300 && reply.json)
        return follow(s, reply.json);
    return reply.status == 409 ? conflicts(s, &reply) : refused(s, &reply);
}

/* Remember the VM first, then forget the intent: between the two, both know it. */
static int record(struct settlement *s, struct launch_state *state)
{
    const struct launch_intent *i = s->intent;
    struct launch_vm vm = {.role = i->role,
                           .id = launch_instance_id(s->outcome->instance),
                           .name = i->name,
                           .project = i->project,
                           .zone = i->zone,
                           .api = i->api};
    int rc = s->outcome->instance ? launch_state_add_vm(state, &vm, s->err) : 0;
    return rc < 0 ? rc : launch_intent_close(state, i, s->err);
}

/* One of the future was written before the clock was set back: nobody knows how old it is. */
static bool is_recent(const struct launch_intent *intent)
{
    int64_t age = time(NULL) - intent->created;
    return age >= -AHEAD_S && age <= OLD_S;
}

int launch_settle(const struct launch_compute *compute, struct launch_state *state,
                  const struct launch_intent *intent, int timeout, struct launch_outcome *ret,
                  struct vmcp_error *err)
{
    struct launch_compute there = *compute;
    there.project = intent->project;
    struct settlement s = {
        .compute = &there, .intent = intent, .timeout = timeout, .outcome = ret, .err = err};
    int rc = intent->found && !is_recent(intent) ? look_up(&s) : send(&s);
    if (!ret->closed)
        return rc;
    struct vmcp_error kept = rc < 0 && err ? *err : (struct vmcp_error){0};
    int recorded = record(&s, state);
    if (recorded < 0)
        return recorded;
    if (rc < 0 && err)
        *err = kept;
    return rc;
}

struct walk {
    const struct launch_compute *compute;
    struct launch_state *state;
    int timeout;
    struct launch_report *report;
    json_t *made; /* ids */
};

static int settle_one(void *arg, struct launch_intent *intent, struct vmcp_error *err)
{
    struct walk *w = arg;
    auto_outcome struct launch_outcome outcome = {0};
    if (strcmp(intent->api, w->compute->base) != 0) {
        launch_warn(w->report, "an open intent for %s belongs to another API, %s: left as it is",
                    intent->name, intent->api);
        return 0;
    }
    launch_say(w->report, "an earlier run may have sent the insert of %s; settling that first",
               intent->name);
    int rc = launch_settle(w->compute, w->state, intent, w->timeout, &outcome, err);
    if (rc < 0 && !outcome.closed)
        return rc;
    if (rc < 0)
        launch_warn(w->report, "the earlier insert of %s came to nothing: %s", intent->name,
                    err->text);
    else
        launch_say(w->report, "the earlier insert of %s %s", intent->name,
                   outcome.instance ? "made its VM" : "made no VM");
    if (outcome.instance)
        json_array_append_new(w->made, json_string(launch_instance_id(outcome.instance)));
    return 0;
}

int launch_settle_all(const struct launch_compute *compute, struct launch_state *state, int timeout,
                      struct launch_report *report, json_t **ret_made, struct vmcp_error *err)
{
    json_auto_t *made = json_array();
    struct walk walk = {
        .compute = compute, .state = state, .timeout = timeout, .report = report, .made = made};
    if (!made)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory to settle intents");
    int rc = launch_intent_each(state, settle_one, &walk, err);
    if (rc == 0)
        *ret_made = steal(&made);
    return rc;
}

void launch_outcome_clear(struct launch_outcome *outcome)
{
    json_decref(outcome->instance);
    *outcome = (struct launch_outcome){0};
}
