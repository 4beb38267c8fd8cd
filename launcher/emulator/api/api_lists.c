/* SPDX-License-Identifier: Apache-2.0 */
/* list and aggregatedList of every collection. */
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "list.h"
#include "methods.h"
#include "resources/accelerators.h"
#include "resources/disk.h"
#include "resources/images.h"
#include "resources/instance.h"
#include "resources/machine_types.h"
#include "resources/operation.h"
#include "resources/zones.h"

/* Where items are collected. */
struct basket {
    struct emu_call *call;
    const struct emu_collection *collection;
    json_t *items;
    struct emu_refusal *why;
};

static int add_instance(void *arg, struct emu_instance *instance)
{
    struct basket *basket = arg;
    return json_array_append(basket->items, instance->resource);
}

static int add_operation(void *arg, struct emu_operation *operation)
{
    struct basket *basket = arg;
    return json_array_append(basket->items, operation->resource);
}

static int add_resource(void *arg, struct emu_resource *resource)
{
    struct basket *basket = arg;
    const struct emu_collection *collection = basket->collection;
    int rc = collection->show ? collection->show(basket->call->cloud, resource, basket->why) : 0;
    return rc < 0 ? rc : json_array_append(basket->items, resource->body);
}

/* What each zone has by nature. */
static void add_of_zone(struct basket *basket, const char *zone)
{
    const char *project = basket->call->project, *name = basket->collection->name;
    struct emu_machine_type type;
    if (strcmp(name, "machineTypes") == 0)
        for (size_t i = 0; emu_machine_type_at(i, &type); i++)
            json_array_append_new(basket->items, emu_machine_type_resource(&type, project, zone));
    if (strcmp(name, "diskTypes") == 0)
        for (size_t i = 0; emu_disk_type_at(i); i++)
            json_array_append_new(basket->items,
                                  emu_disk_type_resource(emu_disk_type_at(i), project, zone));
    if (strcmp(name, "acceleratorTypes") == 0)
        for (size_t i = 0; emu_accelerator_at(i); i++)
            json_array_append_new(basket->items,
                                  emu_accelerator_resource(emu_accelerator_at(i), project, zone));
}

static bool is_natural(const char *name)
{
    return strcmp(name, "machineTypes") == 0 || strcmp(name, "diskTypes") == 0 ||
           strcmp(name, "acceleratorTypes") == 0;
}

/* All items of the path's collection, in one scope or (NULL) in all. */
static int collect(struct basket *basket, const char *scope)
{
    struct emu_call *call = basket->call;
    struct emu_store *store = call->cloud->store;
    const char *name = basket->collection->name, *zone = NULL;
    struct vmcp_error err = {0};
    int rc = 0;
    if (strcmp(name, "instances") == 0)
        rc = emu_instance_each(store, scope ? call->zone : NULL, add_instance, basket, &err);
    else if (strcmp(name, "operations") == 0)
        rc = emu_operation_each(store, scope, add_operation, basket, &err);
    else if (is_natural(name) && scope)
        add_of_zone(basket, call->zone);
    else if (is_natural(name))
        for (size_t i = 0; (zone = emu_zone_at(i)); i++)
            add_of_zone(basket, zone);
    else
        rc = emu_resource_each(store, name, scope, add_resource, basket, &err);
    if (rc < 0 && basket->why->status == 0)
        return emu_refuse_fault(basket->why, &err);
    return rc;
}

int emu_list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    struct basket basket = {call, emu_collection_find(call->collection), items, why};
    char kind[96];
    int rc = collect(&basket, call->scope);
    if (rc < 0)
        return rc;
    snprintf(kind, sizeof(kind), "compute#%sList", basket.collection->singular);
    return emu_list_answer(call, kind, items, ret, why);
}

int emu_list_images(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    struct basket basket = {call, emu_collection_find("images"), items, why};
    json_t *image = NULL;
    int rc = emu_image_check_project(call->cloud, call->project, why);
    for (size_t i = 0; rc == 0 && (image = emu_image_at(call->project, i)); i++)
        json_array_append_new(items, image);
    if (rc == 0 && emu_cloud_is_project(call->cloud, call->project))
        rc = collect(&basket, "global");
    return rc < 0 ? rc : emu_list_answer(call, "compute#imageList", items, ret, why);
}

/* "zones/Z" of an item's selfLink, which has the collection's name behind it. */
static bool scope_of(const json_t *item, char *ret, size_t size)
{
    struct emu_ref ref;
    const char *link = emu_text_at(item, "selfLink");
    if (!link || !emu_ref_parse(link, &ref))
        return false;
    snprintf(ret, size, "%s", ref.scope);
    return true;
}

static json_t *nothing_in(const char *scope)
{
    return json_pack("{s:{s:s, s:o, s:[{s:s, s:s}]}}", "warning", "code", "NO_RESULTS_ON_PAGE",
                     "message",
                     json_sprintf("There are no results for scope '%s' on this page.", scope),
                     "data", "key", "scope", "value", scope);
}

/* A map from each scope to its items, or to the warning that there are none. */
static json_t *by_scope(const struct basket *basket, const json_t *page)
{
    json_t *map = json_object();
    size_t i = 0;
    json_t *item = NULL;
    char scope[EMU_REF_PART] = "";
    json_array_foreach(page, i, item)
    {
        if (!scope_of(item, scope, sizeof(scope)))
            continue;
        json_t *part = json_object_get(map, scope);
        if (!part) {
            part = json_pack("{s:[]}", basket->collection->name);
            json_object_set_new(map, scope, part);
        }
        json_array_append(json_object_get(part, basket->collection->name), item);
    }
    return map;
}

/* The scopes that have nothing, so that clients see which ones were looked at. */
static void fill_scopes(json_t *map)
{
    char scope[EMU_ZONE_MAX + 16], region[EMU_ZONE_MAX + 1];
    const char *zone = NULL;
    for (size_t i = 0; (zone = emu_zone_at(i)); i++) {
        snprintf(scope, sizeof(scope), "zones/%s", zone);
        if (!json_object_get(map, scope))
            json_object_set_new(map, scope, nothing_in(scope));
        emu_zone_region(zone, region);
        snprintf(scope, sizeof(scope), "regions/%s", region);
        if (!json_object_get(map, scope))
            json_object_set_new(map, scope, nothing_in(scope));
    }
    if (!json_object_get(map, "global"))
        json_object_set_new(map, "global", nothing_in("global"));
}

int emu_list_all(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    json_auto_t *page = NULL;
    auto_free char *next = NULL;
    struct basket basket = {call, emu_collection_find(call->collection), items, why};
    int rc = collect(&basket, NULL);
    if (rc == 0)
        rc = emu_list_page(call, items, &page, &next, why);
    if (rc < 0)
        return rc;
    json_t *map = by_scope(&basket, page);
    fill_scopes(map);
    *ret = json_pack("{s:o, s:o, s:o, s:o, s:s*}", "kind",
                     json_sprintf("compute#%sAggregatedList", basket.collection->singular), "id",
                     json_sprintf("projects/%s/aggregated/%s", call->project, call->collection),
                     "items", map, "selfLink",
                     json_sprintf(EMU_COMPUTE_BASE "/projects/%s/aggregated/%s", call->project,
                                  call->collection),
                     "nextPageToken", next);
    return 0;
}
