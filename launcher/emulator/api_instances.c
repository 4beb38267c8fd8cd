/* SPDX-License-Identifier: Apache-2.0 */
/* instances.insert, get, list, aggregatedList, getSerialPortOutput. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "call.h"
#include "change.h"
#include "insert.h"
#include "list.h"
#include "ref.h"
#include "schema.h"
#include "zones.h"

enum { SERIAL_MAX = 1024 * 1024 };

static int insert(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    auto_instance struct emu_instance instance = {0};
    static const char *const sources[] = {"sourceInstanceTemplate", "sourceMachineImage"};
    for (size_t i = 0; i < 2; i++)
        if (http_request_param(call->req, sources[i]))
            return emu_call_not_found(why, "%.200s", http_request_param(call->req, sources[i]));
    int rc = emu_schema_read(call->req, emu_instance_fields, &body, why);
    if (rc < 0)
        return rc;
    const char *name = json_string_value(json_object_get(body, "name"));
    char resource[256];
    snprintf(resource, sizeof(resource), "projects/%s/zones/%s/instances/%.63s", call->project,
             call->zone, name ? name : "");
    rc = emu_call_permit(call, "compute.instances.create", resource, why);
    if (rc == 0)
        rc = emu_change_replay(call, "insert", ret, why);
    if (rc < 0 || *ret)
        return rc;
    const struct emu_insert_context context = {
        .store = call->cloud->store,
        .project = call->cloud->project,
        .zone = call->zone,
        .subnet = emu_room_subnet(call->cloud->room),
        .default_account = call->cloud->default_account,
        .caller = call->email,
    };
    rc = emu_insert_plan(&context, body, &instance, why);
    return rc < 0 ? rc : emu_change_insert(call, &instance, ret, why);
}

void emu_api_insert_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.access = EMU_CHANGES, .zonal = true, .run = insert});
}

static int find(struct emu_call *call, struct emu_instance *ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    const char *name = call->req->segments[2];
    if (emu_instance_find(call->cloud->store, call->zone, name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!ret->id)
        return emu_call_not_found(why, "projects/%s/zones/%s/instances/%.100s", call->project,
                                  call->zone, name);
    return 0;
}

static int get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    int rc = find(call, &instance, why);
    if (rc == 0)
        *ret = json_incref(instance.resource);
    return rc;
}

void emu_api_get_instance(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(
        app, req, reply,
        &(struct emu_method){.permission = "compute.instances.get", .zonal = true, .run = get});
}

static int collect(void *arg, struct emu_instance *instance)
{
    json_array_append(arg, instance->resource);
    return 0;
}

static int list(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    struct vmcp_error err = {0};
    if (emu_instance_each(call->cloud->store, call->zone, collect, items, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_list_answer(call, "compute#instanceList", items, ret, why);
}

void emu_api_list_instances(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(
        app, req, reply,
        &(struct emu_method){.permission = "compute.instances.list", .zonal = true, .run = list});
}

/* A zone's part of an aggregated list: its instances, or that there are none. */
static json_t *scoped(const char *zone, const json_t *instances)
{
    json_auto_t *of_zone = json_array();
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(instances, i, item)
    {
        const char *link = json_string_value(json_object_get(item, "zone"));
        const char *slash = link ? strrchr(link, '/') : NULL;
        if (slash && strcmp(slash + 1, zone) == 0)
            json_array_append(of_zone, item);
    }
    if (json_array_size(of_zone) > 0)
        return json_pack("{s:O}", "instances", of_zone);
    return json_pack("{s:{s:s, s:o, s:[{s:s, s:o}]}}", "warning", "code", "NO_RESULTS_ON_PAGE",
                     "message",
                     json_sprintf("There are no results for scope 'zones/%s' on this page.", zone),
                     "data", "key", "scope", "value", json_sprintf("zones/%s", zone));
}

static int aggregate(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    json_auto_t *kept = NULL;
    struct vmcp_error err = {0};
    if (emu_instance_each(call->cloud->store, NULL, collect, items, &err) < 0)
        return emu_refuse_fault(why, &err);
    int rc = emu_list_filter(call, items, &kept, why);
    if (rc < 0)
        return rc;
    json_auto_t *map = json_object();
    const char *zone = NULL;
    for (size_t i = 0; (zone = emu_zone_at(i)); i++) {
        char key[EMU_ZONE_MAX + sizeof("zones/")];
        snprintf(key, sizeof(key), "zones/%s", zone);
        json_object_set_new(map, key, scoped(zone, kept));
    }
    *ret = json_pack(
        "{s:s, s:o, s:O, s:o}", "kind", "compute#instanceAggregatedList", "id",
        json_sprintf("projects/%s/aggregated/instances", call->project), "items", map, "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/aggregated/instances", call->project));
    return 0;
}

void emu_api_aggregate_instances(void *app, const struct http_request *req,
                                 struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.instances.list", .run = aggregate});
}

/* What a VM wrote, as a JSON string: bytes that are no UTF-8, and NULs, become question marks. */
static json_t *serial_text(struct vmcp_buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] == '\0')
            text->data[i] = '?';
    json_t *string = json_stringn(text->data ? text->data : "", text->len);
    if (string)
        return string;
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->data[i] >= 0x80)
            text->data[i] = '?';
    return json_stringn(text->data, text->len);
}

static int serial_port(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    int rc = find(call, &instance, why);
    if (rc < 0)
        return rc;
    const char *port = http_request_param(call->req, "port");
    const char *start_text = http_request_param(call->req, "start");
    long long start = start_text ? strtoll(start_text, NULL, 10) : 0;
    if (port && (strlen(port) != 1 || *port < '1' || *port > '4'))
        return emu_refuse_field(why, "port", port, "Must be from 1 to 4.");
    auto_buf struct vmcp_buf text = VMCP_BUF(SERIAL_MAX);
    uint64_t from = start > 0 ? (uint64_t)start : 0, next = from;
    struct vmcp_error err = {0};
    bool first_port = !port || *port == '1'; /* the others say nothing */
    if (first_port && emu_room_serial(call->cloud->room, instance.id, from, &text, &next, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", "compute#serialPortOutput", "selfLink",
                     json_sprintf(EMU_COMPUTE_BASE "/%s/serialPort", emu_instance_path(&instance)),
                     "contents", serial_text(&text), "start",
                     json_sprintf("%" PRIu64, next - text.len), "next",
                     json_sprintf("%" PRIu64, next));
    return 0;
}

void emu_api_get_serial_port(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.instances.getSerialPortOutput",
                                      .zonal = true,
                                      .run = serial_port});
}
