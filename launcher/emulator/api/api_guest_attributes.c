/* SPDX-License-Identifier: Apache-2.0 */
/* instances.getGuestAttributes: what a guest wrote, as the API tells it. */
#include <string.h>

#include "base/ref.h"
#include "metadata/guest_attributes.h"
#include "methods.h"

/* One of the items that `query` (NAMESPACE/ or NAMESPACE/KEY, "" or NULL: all) asks for? */
static bool wanted(const char *query, const char *space, const char *key)
{
    size_t len = strlen(space);
    if (!query || !*query || strcmp(query, "/") == 0)
        return true;
    if (strncmp(query, space, len) != 0 || (query[len] && query[len] != '/'))
        return false;
    return !query[len] || !query[len + 1] || strcmp(query + len + 1, key) == 0;
}

static json_t *items(json_t *all, const char *query)
{
    json_t *list = json_array();
    const char *space = NULL, *key = NULL;
    json_t *keys = NULL, *value = NULL;
    json_object_foreach(all, space, keys)
        json_object_foreach(keys, key, value) if (wanted(query, space, key)) json_array_append_new(
            list, json_pack("{s:s, s:s, s:O}", "namespace", space, "key", key, "value", value));
    return list;
}

/* The switch is the instance's own metadata; a project's is not in the resource. */
static bool enabled(const struct emu_instance *instance)
{
    json_auto_t *tree = json_pack("{s:{s:{}}}", "instance", "attributes");
    json_t *attributes = json_object_get(json_object_get(tree, "instance"), "attributes");
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(json_object_get(json_object_get(instance->resource, "metadata"), "items"), i,
                       item)
    {
        const char *key = json_string_value(json_object_get(item, "key"));
        if (key && attributes)
            json_object_set(attributes, key, json_object_get(item, "value"));
    }
    return emu_guest_attributes_enabled(tree);
}

int emu_instances_guest_attributes(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    struct vmcp_error err = {0};
    json_auto_t *all = NULL;
    const char *query = http_request_param(call->req, "queryPath");
    const char *variable = http_request_param(call->req, "variableKey");
    int rc = emu_instance_named(call, &instance, why);
    if (rc < 0)
        return rc;
    if (!enabled(&instance))
        return emu_refuse(why, 412, "conditionNotMet",
                          "Guest attributes endpoint access is disabled: the instance's metadata "
                          "needs enable-guest-attributes=TRUE.");
    if (emu_guest_attributes_load(call->cloud->store, instance.id, &all, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!query || !*query)
        query = variable;
    json_auto_t *list = items(all, query);
    if (json_array_size(list) == 0)
        return emu_call_not_found(why, "%s/guestAttributes/%.200s", emu_instance_path(&instance),
                                  query ? query : "");
    *ret = json_pack(
        "{s:s, s:o, s:s, s:{s:O}}", "kind", "compute#guestAttributes", "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/%s/getGuestAttributes", emu_instance_path(&instance)),
        "queryPath", query ? query : "", "queryValue", "items", list);
    if (*ret && variable && json_array_size(list) == 1)
        json_object_set(*ret, "variableValue", json_object_get(json_array_get(list, 0), "value"));
    return 0;
}
