/* SPDX-License-Identifier: Apache-2.0 */
/* instanceGroupManagers: how they are made, shown and deleted, resize, setInstanceTemplate, patch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "methods.h"
#include "resources/fingerprint.h"
#include "resources/group.h"
#include "resources/insert.h"
#include "resources/instance.h"
#include "resources/template.h"
#include "resources/zones.h"
#include "write.h"

enum { BASE_MAX = 58, REGION_ZONES = 3 };

/* The template as a whole URL, in instanceTemplate and in the one version. */
static int set_template(struct emu_call *call, json_t *body, const char *text,
                        struct emu_refusal *why)
{
    json_auto_t *properties = NULL;
    struct emu_ref ref;
    int rc = emu_template_resolve(call->cloud, text, "resource.instanceTemplate", &properties, why);
    if (rc < 0 || !emu_ref_parse_as(text, "instanceTemplates", &ref))
        return rc;
    json_t *link = json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s/instanceTemplates/%s",
                                call->project, ref.scope[0] ? ref.scope : "global", ref.name);
    json_object_set(body, "instanceTemplate", link);
    json_object_set_new(body, "versions",
                        json_pack("[{s:o, s:{s:o}}]", "instanceTemplate", link, "targetSize",
                                  "calculated", json_incref(json_object_get(body, "targetSize"))));
    return 0;
}

static int read_size(const char *field, int64_t size, struct emu_refusal *why)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)size);
    if (size < 0 || size > EMU_GROUP_SIZE_MAX)
        return emu_refuse_field(why, field, text, "Must be a number from 0 to %d.",
                                EMU_GROUP_SIZE_MAX);
    return 0;
}

/* A regional group is spread over three zones, or those that it names. */
static int set_zones(struct emu_call *call, json_t *body, struct emu_refusal *why)
{
    json_t *zones = json_object_get(json_object_get(body, "distributionPolicy"), "zones");
    char region[EMU_ZONE_MAX + 1];
    const char *zone = NULL;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(zones, i, item)
    {
        const char *text = emu_text_at(item, "zone");
        const char *name = text && strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
        emu_zone_region(name ? name : "", region);
        if (!name || !emu_zone_exists(name) || strcmp(region, call->region) != 0)
            return emu_refuse_field(why, "resource.distributionPolicy.zones", text ? text : "",
                                    "It must be a zone of the region %s.", call->region);
    }
    if (json_array_size(zones) > 0)
        return 0;
    zones = json_array();
    for (i = 0; (zone = emu_zone_at(i)) && json_array_size(zones) < REGION_ZONES; i++) {
        emu_zone_region(zone, region);
        if (strcmp(region, call->region) == 0)
            json_array_append_new(zones,
                                  json_pack("{s:o}", "zone",
                                            json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s",
                                                         call->project, zone)));
    }
    json_object_set_new(body, "distributionPolicy",
                        json_pack("{s:s, s:o}", "targetShape", "EVEN", "zones", zones));
    return 0;
}

/* The instance group of the same name, by which load balancers know the instances. */
static int put_group(struct emu_call *call, const struct emu_resource *manager,
                     struct emu_refusal *why)
{
    auto_resource struct emu_resource group = {0}, other = {0};
    struct vmcp_error err = {0};
    char network[512], link[512], now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    if (emu_resource_find(call->cloud->store, "instanceGroups", call->scope, manager->name, &other,
                          &err) < 0 ||
        emu_id_make(&group.id, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (other.id)
        return emu_refuse(why, 409, "alreadyExists", "The resource '%s' already exists",
                          emu_resource_path(&other));
    snprintf(network, sizeof(network), EMU_COMPUTE_BASE "/projects/%s/global/networks/default",
             call->project);
    snprintf(link, sizeof(link), EMU_COMPUTE_BASE "/projects/%s/%s/instanceGroups/%s",
             call->project, call->scope, manager->name);
    group.body = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:o}", "kind", "compute#instanceGroup",
                           "id", json_sprintf("%llu", (unsigned long long)group.id), "name",
                           manager->name, "creationTimestamp", now, "network", network, "selfLink",
                           link, "fingerprint", emu_fingerprint(manager->body));
    if (group.body)
        json_object_set(group.body, call->zone ? "zone" : "region",
                        json_object_get(manager->body, call->zone ? "zone" : "region"));
    snprintf(group.collection, sizeof(group.collection), "instanceGroups");
    snprintf(group.scope, sizeof(group.scope), "%s", call->scope);
    snprintf(group.name, sizeof(group.name), "%s", manager->name);
    if (emu_resource_insert(call->cloud->store, &group, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

int emu_group_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    json_t *body = resource->body;
    const json_t *version = json_array_get(json_object_get(body, "versions"), 0);
    const char *template = emu_text_at(body, "instanceTemplate");
    const char *base = emu_text_at(body, "baseInstanceName");
    const json_t *size = json_object_get(body, "targetSize");
    if (!template)
        template = emu_text_at(version, "instanceTemplate");
    if (!template)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.instanceTemplate' not specified");
    if (!size)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.targetSize' not specified");
    if (!base || !*base)
        json_object_set_new(body, "baseInstanceName", json_sprintf("%.58s", resource->name));
    base = emu_text_at(body, "baseInstanceName");
    int rc = emu_insert_check_name("resource.baseInstanceName", base, why);
    if (rc == 0 && strlen(base) > BASE_MAX)
        rc = emu_refuse_field(why, "resource.baseInstanceName", base,
                              "At most %d characters, for a number comes behind them.", BASE_MAX);
    if (rc == 0)
        rc = read_size("resource.targetSize", json_integer_value(size), why);
    if (rc == 0)
        rc = set_template(call, body, template, why);
    if (rc == 0 && call->region)
        rc = set_zones(call, body, why);
    if (rc < 0)
        return rc;
    json_object_set_new(body, "instanceGroup",
                        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s/instanceGroups/%s",
                                     call->project, call->scope, resource->name));
    json_object_set_new(body, "listManagedInstancesResults", json_string("PAGELESS"));
    if (!json_object_get(body, "updatePolicy"))
        json_object_set_new(body, "updatePolicy",
                            json_pack("{s:s, s:s, s:s}", "type", "OPPORTUNISTIC", "minimalAction",
                                      "REPLACE", "replacementMethod", "SUBSTITUTE"));
    json_object_set_new(body, "fingerprint", emu_fingerprint(body));
    rc = put_group(call, resource, why);
    return rc < 0 ? rc : emu_group_resize(call->cloud, resource, json_integer_value(size), why);
}

/* Its members go first; the row goes when they are gone. */
int emu_group_check_delete(struct emu_call *call, struct emu_resource *resource,
                           struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    json_object_set_new(resource->body, "targetSize", json_integer(0));
    if (emu_member_remove_all(call->cloud->store, resource->id, &err) < 0 ||
        emu_resource_save(call->cloud->store, resource, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

/* How many members are in which state, and whether all rest. */
int emu_group_show(struct emu_cloud *cloud, struct emu_resource *resource, struct emu_refusal *why)
{
    static const struct {
        const char *action, *member;
    } actions[] = {
        {"NONE", "none"},         {"CREATING", "creating"},
        {"DELETING", "deleting"}, {"RECREATING", "recreating"},
        {"", "abandoning"},       {"", "creatingWithoutRetries"},
        {"", "refreshing"},       {"RESTARTING", "restarting"},
        {"", "verifying"},        {"", "resuming"},
        {"", "starting"},         {"", "stopping"},
        {"", "suspending"},
    };
    auto_members struct emu_members members = {0};
    struct vmcp_error err = {0};
    if (emu_members_read(cloud->store, resource->id, &members, &err) < 0)
        return emu_refuse_fault(why, &err);
    json_t *counts = json_object();
    size_t resting = 0;
    for (size_t a = 0; a < sizeof(actions) / sizeof(actions[0]); a++) {
        json_int_t count = 0;
        for (size_t i = 0; i < members.count; i++)
            count += strcmp(emu_group_action(&members.list[i]), actions[a].action) == 0;
        resting = a == 0 ? (size_t)count : resting;
        json_object_set_new(counts, actions[a].member, json_integer(count));
    }
    json_t *version = json_array_get(json_object_get(resource->body, "versions"), 0);
    json_object_set(json_object_get(version, "targetSize"), "calculated",
                    json_object_get(resource->body, "targetSize"));
    json_object_set_new(resource->body, "currentActions", counts);
    json_object_set_new(resource->body, "status",
                        json_pack("{s:b, s:{s:b}, s:{s:b, s:{s:b}}}", "isStable",
                                  (int)(resting == members.count), "versionTarget", "isReached", 1,
                                  "stateful", "hasStatefulConfig", 0, "perInstanceConfigs",
                                  "allEffective", 1));
    return 0;
}

static int save(struct emu_write *write, struct emu_resource *group, const char *type,
                struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    json_object_del(group->body, "fingerprint");
    json_object_set_new(group->body, "fingerprint", emu_fingerprint(group->body));
    if (emu_resource_save(write->call->cloud->store, group, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_write_begin(write,
                           &(struct emu_operation_spec){.type = type,
                                                        .target = emu_resource_link(group),
                                                        .target_id = group->id},
                           why);
}

static int resize(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    auto_resource struct emu_resource group = {0};
    int rc = emu_resource_named(write->call, "instanceGroupManagers", &group, why);
    if (rc == 0)
        rc = emu_group_resize(write->call->cloud, &group, *(int64_t *)arg, why);
    return rc < 0 ? rc : save(write, &group, "compute.instanceGroupManagers.resize", why);
}

int emu_groups_resize(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "size");
    char *end = NULL;
    if (!text || !*text)
        return emu_refuse(why, 400, "required", "Required parameter: size");
    int64_t size = strtoll(text, &end, 10);
    int rc = *end ? emu_refuse_field(why, "size", text, "Must be a whole number.")
                  : read_size("size", size, why);
    return rc < 0 ? rc : emu_write_run(call, resize, &size, ret, why);
}

static const struct emu_field template_fields[] = {{"instanceTemplate", 's', NULL}, {0}};

/* New instances are made of it; those that are there stay as they are. */
static int change_template(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    const char *template = emu_text_at(arg, "instanceTemplate");
    auto_resource struct emu_resource group = {0};
    int rc = emu_resource_named(write->call, "instanceGroupManagers", &group, why);
    if (rc == 0)
        rc = set_template(write->call, group.body, template ? template : "", why);
    return rc < 0 ? rc
                  : save(write, &group, "compute.instanceGroupManagers.setInstanceTemplate", why);
}

int emu_groups_set_template(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, template_fields, &body, why);
    return rc < 0 ? rc : emu_write_run(call, change_template, body, ret, why);
}

/* What a patch may change: how many, of what, and what is only kept. New instances are made of a
 * new template; those that are there stay as they are, whatever the update policy says. */
static int patch(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    static const char *const kept[] = {"description", "updatePolicy", "autoHealingPolicies",
                                       "namedPorts",  "targetPools",  "statefulPolicy"};
    struct emu_call *call = write->call;
    const json_t *version = json_array_get(json_object_get(arg, "versions"), 0);
    const json_t *size = json_object_get(arg, "targetSize");
    const json_t *fingerprint = json_object_get(arg, "fingerprint");
    const char *template = emu_text_at(arg, "instanceTemplate");
    auto_resource struct emu_resource group = {0};
    int rc = emu_resource_named(call, "instanceGroupManagers", &group, why);
    if (rc < 0)
        return rc;
    if (fingerprint && !emu_fingerprint_is(fingerprint, json_object_get(group.body, "fingerprint")))
        return emu_refuse(why, 412, "conditionNotMet", "Invalid fingerprint.");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (json_object_get(arg, kept[i]))
            json_object_set(group.body, kept[i], json_object_get(arg, kept[i]));
    if (!template)
        template = emu_text_at(version, "instanceTemplate");
    if (template)
        rc = set_template(call, group.body, template, why);
    if (rc == 0 && size)
        rc = read_size("resource.targetSize", json_integer_value(size), why);
    if (rc == 0 && size)
        rc = emu_group_resize(call->cloud, &group, json_integer_value(size), why);
    return rc < 0 ? rc : save(write, &group, "patch", why);
}

int emu_groups_patch(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, emu_group_manager_fields, &body, why);
    return rc < 0 ? rc : emu_write_run(call, patch, body, ret, why);
}
