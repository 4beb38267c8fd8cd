/* SPDX-License-Identifier: Apache-2.0 */
/* insert, get and delete as most collections have them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "lib/json.h"
#include "methods.h"
#include "resources/insert.h"
#include "resources/instance.h"
#include "write.h"

int emu_resource_named(struct emu_call *call, const char *collection, struct emu_resource *ret,
                       struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    if (emu_resource_find(call->cloud->store, collection, call->scope, call->name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return ret->id ? 0 : emu_call_nothing_here(call, why);
}

int emu_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_collection *collection = emu_collection_find(call->collection);
    auto_resource struct emu_resource resource = {0};
    int rc = emu_resource_named(call, call->collection, &resource, why);
    if (rc == 0 && collection->show)
        rc = collection->show(call->cloud, &resource, why);
    if (rc == 0)
        *ret = json_incref(resource.body);
    return rc;
}

/* What every resource has. The rest of the body stays as it was sent. */
static int complete(const struct emu_call *call, const struct emu_collection *collection,
                    struct emu_resource *resource)
{
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_t *body = resource->body;
    int rc = json_object_set_new(body, "kind", json_sprintf("compute#%s", collection->singular));
    rc |= json_object_set_new(body, "id", json_sprintf("%llu", (unsigned long long)resource->id));
    rc |= json_object_set_new(body, "creationTimestamp", json_string(now));
    rc |= json_object_set_new(body, "selfLink",
                              json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s/%s/%s", call->project,
                                           call->scope, call->collection, resource->name));
    if (call->zone || call->region)
        rc |= json_object_set_new(
            body, call->zone ? "zone" : "region",
            json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s", call->project, call->scope));
    return rc;
}

static void canonise(json_t *value);

static json_t *canonical(json_t *value)
{
    const char *text = json_string_value(value);
    bool url = text && (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0);
    const char *path = url ? emu_ref_skip_base(text) : "";
    if (*path)
        return json_sprintf(EMU_COMPUTE_BASE "/%s", path);
    canonise(value);
    return NULL;
}

/* Clients name resources by the address at which they ask; Google's answers have its own. As deep
 * as a body that was read can be. */
static void canonise(json_t *value)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    void *next = NULL;
    json_object_foreach_safe(value, next, key, item)
    {
        json_t *link = strcmp(key, "metadata") == 0 ? NULL : canonical(item);
        if (link)
            json_object_set_new(value, key, link);
    }
    json_array_foreach(value, i, item)
    {
        json_t *link = canonical(item);
        if (link)
            json_array_set_new(value, i, link);
    }
}

static int put(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    const struct emu_collection *collection = emu_collection_find(call->collection);
    auto_resource struct emu_resource other = {0};
    auto_resource struct emu_resource resource = {.body = json_deep_copy(arg)};
    struct vmcp_error err = {0};
    snprintf(resource.name, sizeof(resource.name), "%s", emu_text_at(arg, "name"));
    snprintf(resource.collection, sizeof(resource.collection), "%s", call->collection);
    snprintf(resource.scope, sizeof(resource.scope), "%s", call->scope);
    if (emu_resource_find(call->cloud->store, resource.collection, resource.scope, resource.name,
                          &other, &err) < 0 ||
        emu_id_make(&resource.id, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (complete(call, collection, &resource) < 0)
        return emu_refuse(why, 500, "backendError", "No memory for a resource.");
    if (other.id)
        return emu_refuse(why, 409, "alreadyExists", "The resource '%s' already exists",
                          emu_resource_path(&other));
    int rc = collection->make ? collection->make(call, &resource, why) : 0;
    const struct emu_operation_spec spec = {.type = "insert",
                                            .target = emu_resource_link(&resource),
                                            .target_id = resource.id,
                                            .fault = call->stockout ? EMU_STOCKOUT : NULL};
    if (rc == 0)
        rc = emu_write_begin(write, &spec, why);
    if (rc == 0 && emu_resource_insert(call->cloud->store, &resource, &err) < 0)
        return emu_refuse_fault(why, &err);
    return rc;
}

int emu_insert(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_collection *collection = emu_collection_find(call->collection);
    json_auto_t *body = NULL;
    char permission[80];
    int rc = emu_schema_read(call->req, collection->fields, &body, why);
    if (rc < 0)
        return rc;
    const char *name = emu_text_at(body, "name");
    snprintf(permission, sizeof(permission), "compute.%s.create", collection->name);
    rc = emu_call_permit_new(call, permission, name, why);
    if (rc == 0)
        rc = emu_write_replay(call, ret, why);
    if (rc < 0 || *ret)
        return rc;
    if (!name)
        return emu_refuse(why, 400, "required", "Required field 'resource.name' not specified");
    canonise(body);
    name = emu_text_at(body, "name");
    rc = emu_insert_check_name("resource.name", name, why);
    return rc < 0 ? rc : emu_write_run(call, put, body, ret, why);
}

/* The row goes when the operation ends. */
static int drop(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    const struct emu_collection *collection = emu_collection_find(call->collection);
    auto_resource struct emu_resource resource = {0};
    (void)arg;
    int rc = emu_resource_named(call, call->collection, &resource, why);
    if (rc == 0 && collection->check_delete)
        rc = collection->check_delete(call, &resource, why);
    if (rc < 0)
        return rc;
    const struct emu_operation_spec spec = {
        .type = "delete", .target = emu_resource_link(&resource), .target_id = resource.id};
    return emu_write_begin(write, &spec, why);
}

int emu_delete(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    return emu_write_run(call, drop, NULL, ret, why);
}
