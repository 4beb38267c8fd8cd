/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <stdio.h>
#include <string.h>

#include "api/collections.h"
#include "api/write.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "machine_types.h"

int emu_template_resolve(struct emu_cloud *cloud, const char *text, const char *field, json_t **ret,
                         struct emu_refusal *why)
{
    auto_resource struct emu_resource found = {0};
    struct vmcp_error err = {0};
    struct emu_ref ref;
    *ret = NULL;
    if (!emu_ref_parse_as(text, "instanceTemplates", &ref))
        return emu_refuse_field(why, field, text, "The URL is malformed.");
    const char *scope = ref.scope[0] ? ref.scope : "global";
    const char *project = ref.project[0] ? ref.project : cloud->project;
    if (emu_cloud_is_project(cloud, project) &&
        emu_resource_find(cloud->store, "instanceTemplates", scope, ref.name, &found, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!found.id)
        return emu_refuse(why, 404, "notFound",
                          "The resource 'projects/%s/%s/instanceTemplates/%s' was not found",
                          project, scope, ref.name);
    *ret = json_incref(json_object_get(found.body, "properties"));
    return 0;
}

/* A short name becomes zones/Z/COLLECTION/NAME. */
static void expand(json_t *object, const char *member, const char *zone, const char *collection)
{
    const char *text = emu_text_at(object, member);
    if (text && !strchr(text, '/'))
        json_object_set_new(object, member, json_sprintf("zones/%s/%s/%s", zone, collection, text));
}

json_t *emu_template_body(const json_t *properties, const char *zone)
{
    json_t *body = json_deep_copy(properties);
    size_t i = 0;
    json_t *item = NULL;
    expand(body, "machineType", zone, "machineTypes");
    json_object_del(body, "resourceManagerTags"); /* said elsewhere in an instance */
    json_array_foreach(json_object_get(body, "disks"), i, item)
    {
        expand(json_object_get(item, "initializeParams"), "diskType", zone, "diskTypes");
    }
    json_array_foreach(json_object_get(body, "guestAccelerators"), i, item)
    {
        expand(item, "acceleratorType", zone, "acceleratorTypes");
    }
    return body;
}

/* What cannot become an instance in any zone is refused when the template is made. */
int emu_template_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    const json_t *properties = json_object_get(resource->body, "properties");
    const char *type = emu_text_at(properties, "machineType");
    struct emu_machine_type found;
    char rule[160];
    (void)call;
    if (emu_text_at(resource->body, "sourceInstance"))
        return emu_refuse_field(why, "resource.sourceInstance",
                                emu_text_at(resource->body, "sourceInstance"),
                                "Templates are made from properties here.");
    if (!properties)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.properties' not specified");
    if (!type || !*type)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.properties.machineType' not specified");
    if (strchr(type, '/') || !emu_machine_type_find(type, &found, rule, sizeof(rule)))
        return emu_refuse_field(why, "resource.properties.machineType", type,
                                "A template names a machine type without a zone, like e2-small.");
    if (json_array_size(json_object_get(properties, "disks")) == 0)
        return emu_refuse_field(why, "resource.properties.disks", "",
                                "The first disk must be the boot disk.");
    if (json_array_size(json_object_get(properties, "networkInterfaces")) == 0)
        return emu_refuse_field(why, "resource.properties.networkInterfaces", "",
                                "At least one network interface is required.");
    return 0;
}

struct use {
    const char *link;
    char user[256];
};

static int look(void *arg, struct emu_resource *resource)
{
    struct use *use = arg;
    const char *link = emu_text_at(resource->body, "instanceTemplate");
    if (link && strcmp(link, use->link) == 0)
        snprintf(use->user, sizeof(use->user), "%s", emu_resource_path(resource));
    return 0;
}

int emu_template_check_delete(struct emu_call *call, struct emu_resource *resource,
                              struct emu_refusal *why)
{
    struct use use = {.link = emu_resource_link(resource)};
    struct vmcp_error err = {0};
    if (emu_resource_each(call->cloud->store, "instanceGroupManagers", NULL, look, &use, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!use.user[0])
        return 0;
    return emu_refuse(why, 400, "resourceInUseByAnotherResource",
                      "The instance_template resource '%s' is already being used by '%s'",
                      emu_resource_path(resource), use.user);
}
