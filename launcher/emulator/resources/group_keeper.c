/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/faults.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "group.h"
#include "insert.h"
#include "lib/auto.h"
#include "operation.h"
#include "template.h"
#include "worker.h"

enum { ROUND_MAX = 32 }; /* instances that one transaction makes or deletes */

/* One round. */
struct round {
    struct emu_cloud *cloud;
    struct emu_resource *group; /* the one that is looked at */
    bool retry;
    uint64_t begun[ROUND_MAX]; /* operations for the worker */
    size_t count;
    uint64_t groups[256]; /* ids */
    size_t group_count;
};

static int begin(struct round *round, const struct emu_instance *instance, const char *type,
                 const char *fault, struct vmcp_error *err)
{
    auto_operation struct emu_operation op = {0};
    char scope[EMU_INSTANCE_NAME_MAX + 16], user[64], method[32];
    snprintf(scope, sizeof(scope), "zones/%s", instance->zone);
    snprintf(user, sizeof(user), "%s@cloudservices.gserviceaccount.com", round->cloud->number);
    snprintf(method, sizeof(method), "instances.%s", type);
    const struct emu_operation_spec spec = {
        .project = round->cloud->project,
        .scope = scope,
        .collection = "instances",
        .method = method,
        .type = type,
        .target = emu_text_at(instance->resource, "selfLink"),
        .user = user,
        .fault = fault,
        .target_id = instance->id,
    };
    int rc = emu_operation_begin(round->cloud->store, &spec, &op, err);
    if (rc == 0)
        round->begun[round->count++] = op.id;
    return rc;
}

/* The metadata by which an instance knows its group, beside the template's. */
static void add_metadata(const struct round *round, json_t *body)
{
    const char *number = round->cloud->number;
    const char *template = emu_text_at(round->group->body, "instanceTemplate");
    json_t *metadata = json_object_get(body, "metadata");
    if (!metadata) {
        metadata = json_object();
        json_object_set_new(body, "metadata", metadata);
    }
    json_t *items = json_object_get(metadata, "items");
    if (!items) {
        items = json_array();
        json_object_set_new(metadata, "items", items);
    }
    json_array_append_new(items,
                          json_pack("{s:s, s:o}", "key", "created-by", "value",
                                    json_sprintf("projects/%s/%s/instanceGroupManagers/%s", number,
                                                 round->group->scope, round->group->name)));
    struct emu_ref ref;
    if (template && emu_ref_parse(template, &ref))
        json_array_append_new(items, json_pack("{s:s, s:o}", "key", "instance-template", "value",
                                               json_sprintf("projects/%s/%s/instanceTemplates/%s",
                                                            number, ref.scope, ref.name)));
}

static int make_body(struct round *round, const struct emu_member *member, json_t **ret,
                     struct emu_refusal *why)
{
    json_auto_t *properties = NULL;
    const char *template = emu_text_at(round->group->body, "instanceTemplate");
    int rc = emu_template_resolve(round->cloud, template ? template : "", "instanceTemplate",
                                  &properties, why);
    if (rc < 0)
        return rc;
    json_auto_t *body = emu_template_body(properties, member->zone);
    if (!body)
        return emu_refuse(why, 500, "backendError", "No memory for an instance.");
    json_object_set_new(body, "name", json_string(member->name));
    add_metadata(round, body);
    *ret = steal(&body);
    return 0;
}

/* Insert the member's instance. A refusal leaves nothing behind but its words. */
static int try_create(struct round *round, const struct emu_member *member, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    auto_instance struct emu_instance instance = {0};
    struct vmcp_error err = {0};
    const struct emu_insert_context context =
        emu_insert_context_of(round->cloud, member->zone, NULL);
    bool stockout = false;
    int rc = emu_faults_take_quietly(round->cloud->faults, "instances.insert", &stockout, why);
    if (rc == 0)
        rc = make_body(round, member, &body, why);
    if (rc == 0)
        rc = emu_insert_plan(&context, body, &instance, why);
    instance.manager = round->group->id;
    if (rc == 0)
        rc = emu_insert_put(&context, &instance, why);
    if (rc < 0)
        return rc;
    if (begin(round, &instance, "insert", stockout ? EMU_STOCKOUT : NULL, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

static int create(struct round *round, const struct emu_member *member, struct vmcp_error *err)
{
    struct emu_refusal why = {0};
    char error[EMU_MEMBER_ERROR_MAX + 1] = "";
    if (member->error[0] && !round->retry)
        return 0;
    int rc = emu_store_savepoint(round->cloud->store, err);
    if (rc < 0)
        return rc;
    bool made = try_create(round, member, &why) == 0;
    rc = emu_store_release(round->cloud->store, made, err);
    if (!made)
        snprintf(error, sizeof(error), "%.*s", EMU_MEMBER_ERROR_MAX, why.message);
    if (rc == 0 && (member->action[0] || strcmp(error, member->error) != 0))
        rc = emu_member_note(round->cloud->store, round->group->id, member->zone, member->name, "",
                             error, err);
    return rc;
}

static int change(struct round *round, const struct emu_member *member, const char *type,
                  const char *status, struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(round->cloud->store, member->instance, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    emu_instance_set_status(&instance, status);
    rc = emu_instance_save(round->cloud->store, &instance, err);
    return rc < 0 ? rc : begin(round, &instance, type, NULL, err);
}

/* What a member needs now. */
static int attend(struct round *round, const struct emu_member *member, struct vmcp_error *err)
{
    bool stopping = strcmp(member->status, "STOPPING") == 0;
    bool rebuilt = strcmp(member->action, "RECREATING") == 0;
    if (!member->instance)
        return create(round, member, err);
    if ((member->leaving || rebuilt) && !stopping)
        return change(round, member, "delete", "STOPPING", err);
    if (strcmp(member->status, "TERMINATED") == 0 && round->retry) /* it may fail again */
        return change(round, member, "start", "PROVISIONING", err);
    return 0;
}

static int attend_group(struct round *round, uint64_t id, struct vmcp_error *err)
{
    auto_resource struct emu_resource group = {0};
    auto_members struct emu_members members = {0};
    int rc = emu_resource_by_id(round->cloud->store, id, &group, err);
    if (rc == 0)
        rc = emu_members_read(round->cloud->store, id, &members, err);
    round->group = &group;
    for (size_t i = 0; rc == 0 && i < members.count && round->count < ROUND_MAX; i++)
        rc = attend(round, &members.list[i], err);
    return rc;
}

static int note_group(void *arg, struct emu_resource *group)
{
    struct round *round = arg;
    if (round->group_count < sizeof(round->groups) / sizeof(round->groups[0]))
        round->groups[round->group_count++] = group->id;
    return 0;
}

int emu_groups_keep(struct emu_cloud *cloud, bool retry, bool *ret_again, struct vmcp_error *err)
{
    struct round round = {.cloud = cloud, .retry = retry};
    *ret_again = false;
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_resource_each(cloud->store, "instanceGroupManagers", NULL, note_group, &round, err);
    for (size_t i = 0; rc == 0 && i < round.group_count && round.count < ROUND_MAX; i++)
        rc = attend_group(&round, round.groups[i], err);
    rc = emu_store_end(cloud->store, rc, err);
    for (size_t i = 0; rc == 0 && i < round.count; i++)
        emu_worker_add(cloud->worker, round.begun[i]);
    *ret_again = rc == 0 && round.count == ROUND_MAX;
    return rc;
}
