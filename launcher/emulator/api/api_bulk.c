/* SPDX-License-Identifier: Apache-2.0 */
/* instances.bulkInsert, in a zone or a region: many instances of one shape by one call.
 *
 * One operation for the call, which is DONE when all are; one for each instance; all share an
 * operationGroupId. With fewer than minCount possible, nothing is made.
 */
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "methods.h"
#include "resources/insert.h"
#include "resources/template.h"
#include "resources/zones.h"
#include "schema.h"
#include "write.h"

enum { COUNT_MAX = 1000, ZONES_MAX = 8 };

struct bulk {
    const json_t *body;       /* borrowed */
    json_t *names;            /* perInstanceProperties; NULL: namePattern counts */
    const json_t *properties; /* of each instance; borrowed */
    int64_t count, min;
    char zones[ZONES_MAX][EMU_ZONE_MAX + 1];
    size_t zone_count;
    uint64_t batch;
    int64_t made;
};

/* "vm-###" and 7 give vm-007. False if it is no pattern: one run of # is wanted. */
static bool fill_pattern(const char *pattern, int64_t number, char *ret, size_t size)
{
    size_t head = strcspn(pattern, "#"), width = strspn(pattern + head, "#");
    const char *tail = pattern + head + width;
    if (width == 0 || width > 18 || strchr(tail, '#'))
        return false;
    int len = snprintf(ret, size, "%.*s%0*lld%s", (int)head, pattern, (int)width, (long long)number,
                       tail);
    return len > 0 && (size_t)len < size;
}

/* The zones that the call allows: its own, or those of its region. */
static int read_zones(struct emu_call *call, struct bulk *bulk, struct emu_refusal *why)
{
    json_t *locations = json_object_get(json_object_get(bulk->body, "locationPolicy"), "locations");
    bool any_allowed = false;
    const char *key = NULL, *zone = NULL;
    json_t *value = NULL;
    char path[EMU_ZONE_MAX + 8], region[EMU_ZONE_MAX + 1];
    json_object_foreach(locations, key, value)
    {
        const char *preference = emu_text_at(value, "preference");
        any_allowed = any_allowed || (preference && strcmp(preference, "ALLOW") == 0);
    }
    for (size_t i = 0; (zone = emu_zone_at(i)); i++) {
        emu_zone_region(zone, region);
        if (call->zone ? strcmp(zone, call->zone) != 0 : strcmp(region, call->region) != 0)
            continue;
        snprintf(path, sizeof(path), "zones/%s", zone);
        const char *said = emu_text_at(json_object_get(locations, path), "preference");
        bool denied = said && strcmp(said, "DENY") == 0;
        if (!denied && (!any_allowed || said) && bulk->zone_count < ZONES_MAX)
            snprintf(bulk->zones[bulk->zone_count++], EMU_ZONE_MAX + 1, "%s", zone);
    }
    if (bulk->zone_count == 0)
        return emu_refuse_field(why, "resource.locationPolicy.locations", "",
                                "No zone is left that is allowed.");
    return 0;
}

static int read_counts(struct bulk *bulk, struct emu_refusal *why)
{
    char text[24];
    bool given = json_object_get(bulk->body, "count") != NULL;
    bulk->names = json_object_get(bulk->body, "perInstanceProperties");
    if (json_object_size(bulk->names) == 0) /* gcloud sends an empty one beside a pattern */
        bulk->names = NULL;
    bulk->count =
        given ? emu_int64_at(bulk->body, "count") : (int64_t)json_object_size(bulk->names);
    bulk->min = json_object_get(bulk->body, "minCount") ? emu_int64_at(bulk->body, "minCount")
                                                        : bulk->count;
    snprintf(text, sizeof(text), "%lld", (long long)bulk->count);
    if (bulk->count < 1 || bulk->count > COUNT_MAX)
        return emu_refuse_field(why, "resource.count", text, "Must be a number from 1 to %d.",
                                COUNT_MAX);
    if (bulk->min < 1 || bulk->min > bulk->count)
        return emu_refuse_field(why, "resource.minCount", text,
                                "Must be from 1 to the value of count.");
    if (bulk->names && json_object_size(bulk->names) != (size_t)bulk->count)
        return emu_refuse_field(why, "resource.perInstanceProperties", "",
                                "There must be as many names as instances.");
    const char *pattern = emu_text_at(bulk->body, "namePattern");
    char name[EMU_INSTANCE_NAME_MAX + 1];
    if (!bulk->names && (!pattern || !fill_pattern(pattern, bulk->count, name, sizeof(name))))
        return emu_refuse_field(why, "resource.namePattern", pattern ? pattern : "",
                                "Must be a name with one run of #, like vm-###.");
    return 0;
}

static void choose_name(const struct bulk *bulk, int64_t index, char *ret, size_t size)
{
    if (!bulk->names) {
        fill_pattern(emu_text_at(bulk->body, "namePattern"), index + 1, ret, size);
        return;
    }
    const char *key = NULL;
    json_t *value = NULL;
    int64_t i = 0;
    json_object_foreach(bulk->names, key, value)
    {
        if (i++ != index)
            continue;
        const char *other = emu_text_at(value, "name");
        snprintf(ret, size, "%s", other ? other : key);
    }
}

static int make_one(struct emu_write *write, const struct bulk *bulk, int64_t index,
                    struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    const char *zone = bulk->zones[(size_t)index % bulk->zone_count];
    char name[EMU_INSTANCE_NAME_MAX + 1] = "", scope[EMU_ZONE_MAX + 8];
    auto_instance struct emu_instance instance = {0};
    const struct emu_insert_context context = emu_insert_context_of(call->cloud, zone, call->email);
    json_auto_t *body = emu_template_body(bulk->properties, zone);
    choose_name(bulk, index, name, sizeof(name));
    json_object_set_new(body, "name", json_string(name));
    int rc = emu_insert_plan(&context, body, &instance, why);
    if (rc == 0)
        rc = emu_insert_put(&context, &instance, why);
    if (rc < 0)
        return rc;
    snprintf(scope, sizeof(scope), "zones/%s", zone);
    return emu_write_begin(
        write,
        &(struct emu_operation_spec){.scope = scope,
                                     .type = "insert",
                                     .target = emu_text_at(instance.resource, "selfLink"),
                                     .target_id = instance.id,
                                     .batch = bulk->batch,
                                     .fault = call->stockout ? EMU_STOCKOUT : NULL},
        why);
}

/* All that can be made, each by itself; fewer than the least, and none is. */
static int make_all(struct emu_write *write, struct bulk *bulk, struct emu_refusal *why)
{
    struct emu_store *store = write->call->cloud->store;
    struct vmcp_error err = {0};
    for (int64_t i = 0; i < bulk->count; i++) {
        struct emu_refusal refused = {0};
        if (emu_store_savepoint(store, &err) < 0)
            return emu_refuse_fault(why, &err);
        bool made = make_one(write, bulk, i, &refused) == 0;
        if (emu_store_release(store, made, &err) < 0)
            return emu_refuse_fault(why, &err);
        bulk->made += made;
        if (!made)
            *why = refused;
        if (bulk->count - (i + 1 - bulk->made) < bulk->min)
            return -1; /* in the words of the last refusal */
    }
    return 0;
}

static int put(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct bulk *bulk = arg;
    struct emu_call *call = write->call;
    char link[256];
    struct vmcp_error err = {0};
    if (emu_id_make(&bulk->batch, &err) < 0)
        return emu_refuse_fault(why, &err);
    snprintf(link, sizeof(link), EMU_COMPUTE_BASE "/projects/%s/%s", call->project, call->scope);
    int rc =
        emu_write_begin(write,
                        &(struct emu_operation_spec){.type = "bulkInsert",
                                                     .target = link,
                                                     .target_id = bulk->batch,
                                                     .batch = bulk->batch,
                                                     .fault = call->stockout ? EMU_STOCKOUT : NULL},
                        why);
    return rc < 0 ? rc : make_all(write, bulk, why);
}

static int read_properties(struct emu_call *call, struct bulk *bulk, json_t **ret,
                           struct emu_refusal *why)
{
    const char *template = emu_text_at(bulk->body, "sourceInstanceTemplate");
    json_t *given = json_object_get(bulk->body, "instanceProperties");
    json_auto_t *properties = NULL;
    if (!template && !given)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.instanceProperties' not specified");
    if (!template) {
        *ret = json_incref(given);
        return 0;
    }
    int rc = emu_template_resolve(call->cloud, template, "resource.sourceInstanceTemplate",
                                  &properties, why);
    if (rc < 0)
        return rc;
    *ret = json_deep_copy(properties);
    return given && json_object_update(*ret, given) < 0
               ? emu_refuse(why, 500, "backendError", "No memory for the instances.")
               : 0;
}

int emu_instances_bulk_insert(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    json_auto_t *properties = NULL;
    int rc = emu_schema_read(call->req, emu_bulk_fields, &body, why);
    if (rc == 0)
        rc = emu_write_replay(call, ret, why);
    if (rc < 0 || *ret)
        return rc;
    struct bulk bulk = {.body = body};
    rc = read_counts(&bulk, why);
    if (rc == 0)
        rc = read_zones(call, &bulk, why);
    if (rc == 0)
        rc = read_properties(call, &bulk, &properties, why);
    bulk.properties = properties;
    return rc < 0 ? rc : emu_write_run(call, put, &bulk, ret, why);
}
