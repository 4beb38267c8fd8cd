/* SPDX-License-Identifier: Apache-2.0 */
/* The members of managed groups: listManagedInstances, listErrors, createInstances,
 * deleteInstances, recreateInstances, abandonInstances; instanceGroups.listInstances. */
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "list.h"
#include "methods.h"
#include "resources/group.h"
#include "resources/insert.h"
#include "write.h"

static json_t *link_of(const struct emu_call *call, const struct emu_member *member)
{
    return json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/instances/%s", call->project,
                        member->zone, member->name);
}

static json_t *errors_of(const struct emu_member *member)
{
    return json_pack("{s:{s:[{s:s, s:s}]}}", "errors", "errors", "code",
                     strstr(member->error, "exceeded") ? "QUOTA_EXCEEDED" : "CONDITION_NOT_MET",
                     "message", member->error);
}

static json_t *describe(const struct emu_call *call, const struct emu_resource *group,
                        const struct emu_member *member)
{
    json_t *made =
        json_pack("{s:o, s:s, s:s, s:{s:O*, s:s}, s:o}", "instance", link_of(call, member), "name",
                  member->name, "currentAction", emu_group_action(member), "version",
                  "instanceTemplate", json_object_get(group->body, "instanceTemplate"), "name", "",
                  "lastAttempt", member->error[0] ? errors_of(member) : json_object());
    if (made && member->instance) {
        json_object_set_new(made, "id", json_sprintf("%llu", (unsigned long long)member->instance));
        json_object_set_new(made, "instanceStatus", json_string(member->status));
    }
    return made;
}

static int read_members(struct emu_call *call, const char *collection,
                        struct emu_resource *ret_group, struct emu_members *ret,
                        struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    int rc = emu_resource_named(call, collection, ret_group, why);
    /* An instance group has the members of the manager of its name. */
    auto_resource struct emu_resource manager = {0};
    if (rc < 0)
        return rc;
    if (emu_resource_find(call->cloud->store, "instanceGroupManagers", call->scope, ret_group->name,
                          &manager, &err) < 0 ||
        emu_members_read(call->cloud->store, manager.id, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

/* How many instances it has now. */
int emu_instance_group_show(struct emu_cloud *cloud, struct emu_resource *resource,
                            struct emu_refusal *why)
{
    auto_resource struct emu_resource manager = {0};
    auto_members struct emu_members members = {0};
    struct vmcp_error err = {0};
    json_int_t size = 0;
    if (emu_resource_find(cloud->store, "instanceGroupManagers", resource->scope, resource->name,
                          &manager, &err) < 0 ||
        emu_members_read(cloud->store, manager.id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    for (size_t i = 0; i < members.count; i++)
        size += members.list[i].instance != 0;
    json_object_set_new(resource->body, "size", json_integer(size));
    return 0;
}

int emu_groups_list_managed(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_resource struct emu_resource group = {0};
    auto_members struct emu_members members = {0};
    int rc = read_members(call, "instanceGroupManagers", &group, &members, why);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < members.count; i++)
        json_array_append_new(items, describe(call, &group, &members.list[i]));
    *ret = json_array_size(items) ? json_pack("{s:o}", "managedInstances", items) : json_object();
    if (json_array_size(items) == 0)
        json_decref(items);
    return 0;
}

int emu_groups_list_errors(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_resource struct emu_resource group = {0};
    auto_members struct emu_members members = {0};
    int rc = read_members(call, "instanceGroupManagers", &group, &members, why);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < members.count; i++)
        if (members.list[i].error[0])
            json_array_append_new(items,
                                  json_pack("{s:{s:s, s:s}, s:{s:o, s:s}}", "error", "code",
                                            "CONDITION_NOT_MET", "message", members.list[i].error,
                                            "instanceActionDetails", "instance",
                                            link_of(call, &members.list[i]), "action", "CREATING"));
    *ret = json_pack("{s:o}", "items", items);
    return 0;
}

int emu_instance_groups_list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_resource struct emu_resource group = {0};
    auto_members struct emu_members members = {0};
    json_auto_t *items = json_array();
    int rc = read_members(call, "instanceGroups", &group, &members, why);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < members.count; i++)
        if (members.list[i].instance)
            json_array_append_new(items, json_pack("{s:o, s:s}", "instance",
                                                   link_of(call, &members.list[i]), "status",
                                                   members.list[i].status));
    *ret = json_pack(
        "{s:s, s:o, s:O}", "kind", "compute#instanceGroupsListInstances", "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/%s", call->req->path + sizeof("/compute/v1/") - 1), "items",
        items);
    if (*ret && json_array_size(items) == 0)
        json_object_del(*ret, "items");
    return 0;
}

static const struct emu_field created_fields[] = {
    {"fingerprint", 's', NULL},
    {"name", 's', NULL},
    {"preservedState", 'o', NULL},
    {"status", 's', NULL},
    {0},
};
static const struct emu_field create_fields[] = {{"instances", 'a', created_fields}, {0}};
static const struct emu_field name_fields[] = {
    {"instances", 't', NULL}, {"skipInstancesOnValidationError", 'b', NULL}, {0}};

/* A change of some members. */
struct edit {
    const char *type; /* the operation's */
    int (*apply)(struct emu_call *call, struct emu_resource *group, const struct emu_member *member,
                 struct vmcp_error *err);
    int64_t step; /* what it does to the target size, for each */
    const json_t *body;
};

/* The member whose instance a URL or path names. */
static const struct emu_member *find(const struct emu_members *members, const char *text)
{
    struct emu_ref ref;
    if (!text || !emu_ref_parse_as(text, "instances", &ref))
        return NULL;
    for (size_t i = 0; i < members->count; i++) {
        const struct emu_member *member = &members->list[i];
        bool zone =
            !ref.scope[0] || strcmp(ref.scope + strcspn(ref.scope, "/") + 1, member->zone) == 0;
        if (zone && !member->leaving && strcmp(member->name, ref.name) == 0)
            return member;
    }
    return NULL;
}

static int apply_all(struct emu_call *call, struct emu_resource *group, const struct edit *edit,
                     struct emu_refusal *why)
{
    auto_members struct emu_members members = {0};
    struct vmcp_error err = {0};
    int64_t size = json_integer_value(json_object_get(group->body, "targetSize"));
    size_t i = 0;
    json_t *item = NULL;
    if (emu_members_read(call->cloud->store, group->id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    json_array_foreach(json_object_get(edit->body, "instances"), i, item)
    {
        const struct emu_member *member = find(&members, json_string_value(item));
        if (!member && emu_true_at(edit->body, "skipInstancesOnValidationError"))
            continue;
        if (!member)
            return emu_refuse_field(why, "instances", json_string_value(item),
                                    "Instance is not a member of the group '%s'.",
                                    emu_resource_path(group));
        if (edit->apply(call, group, member, &err) < 0)
            return emu_refuse_fault(why, &err);
        size += edit->step;
    }
    json_object_set_new(group->body, "targetSize", json_integer(size));
    return 0;
}

static int finish(struct emu_write *write, struct emu_resource *group, const char *type,
                  struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    if (emu_resource_save(write->call->cloud->store, group, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_write_begin(write,
                           &(struct emu_operation_spec){.type = type,
                                                        .target = emu_resource_link(group),
                                                        .target_id = group->id},
                           why);
}

static int run_edit(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    const struct edit *edit = arg;
    auto_resource struct emu_resource group = {0};
    int rc = emu_resource_named(write->call, "instanceGroupManagers", &group, why);
    if (rc == 0)
        rc = apply_all(write->call, &group, edit, why);
    return rc < 0 ? rc : finish(write, &group, edit->type, why);
}

static int edit_members(struct emu_call *call, struct edit edit, json_t **ret,
                        struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, name_fields, &body, why);
    edit.body = body;
    return rc < 0 ? rc : emu_write_run(call, run_edit, &edit, ret, why);
}

static int remove_member(struct emu_call *call, struct emu_resource *group,
                         const struct emu_member *member, struct vmcp_error *err)
{
    return emu_member_remove(call->cloud->store, group->id, member->zone, member->name, err);
}

static int rebuild_member(struct emu_call *call, struct emu_resource *group,
                          const struct emu_member *member, struct vmcp_error *err)
{
    return emu_member_note(call->cloud->store, group->id, member->zone, member->name,
                           member->instance ? "RECREATING" : "", "", err);
}

/* The instance stays, and is nobody's. */
static int abandon_member(struct emu_call *call, struct emu_resource *group,
                          const struct emu_member *member, struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(call->cloud->store, member->instance, &instance, err);
    instance.manager = 0;
    if (rc == 0 && instance.id)
        rc = emu_instance_save(call->cloud->store, &instance, err);
    return rc < 0 ? rc : remove_member(call, group, member, err);
}

int emu_groups_delete_instances(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {"compute.instanceGroupManagers.deleteInstances", remove_member, -1,
                              NULL};
    return edit_members(call, edit, ret, why);
}

int emu_groups_recreate_instances(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {"compute.instanceGroupManagers.recreateInstances", rebuild_member, 0,
                              NULL};
    return edit_members(call, edit, ret, why);
}

int emu_groups_abandon_instances(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {"compute.instanceGroupManagers.abandonInstances", abandon_member, -1,
                              NULL};
    return edit_members(call, edit, ret, why);
}

/* Members of given names. */
static int create(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    auto_resource struct emu_resource group = {0};
    size_t i = 0;
    json_t *item = NULL;
    int rc = emu_resource_named(call, "instanceGroupManagers", &group, why);
    if (rc < 0)
        return rc;
    int64_t size = json_integer_value(json_object_get(group.body, "targetSize"));
    json_array_foreach(json_object_get(arg, "instances"), i, item)
    {
        const char *name = emu_text_at(item, "name");
        auto_instance struct emu_instance other = {0};
        struct vmcp_error err = {0};
        rc = emu_insert_check_name("instances.name", name ? name : "", why);
        if (rc < 0)
            return rc;
        if (emu_instance_find(call->cloud->store, call->zone, name, &other, &err) < 0)
            return emu_refuse_fault(why, &err);
        if (other.id || size >= EMU_GROUP_SIZE_MAX)
            return emu_refuse_field(why, "instances.name", name,
                                    "The name is taken, or the group is full.");
        rc = emu_group_add(call->cloud, &group, call->zone, name, why);
        if (rc < 0)
            return rc;
        size++;
    }
    json_object_set_new(group.body, "targetSize", json_integer(size));
    return finish(write, &group, "compute.instanceGroupManagers.createInstances", why);
}

int emu_groups_create_instances(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, create_fields, &body, why);
    return rc < 0 ? rc : emu_write_run(call, create, body, ret, why);
}
