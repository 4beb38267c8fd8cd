/* SPDX-License-Identifier: Apache-2.0 */
/* instances.insert, get, getSerialPortOutput. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "methods.h"
#include "resources/insert.h"
#include "resources/template.h"
#include "schema.h"
#include "write.h"

enum { SERIAL_MAX = 1024 * 1024 };

/* The members of the body count before those of the template; arrays are not merged. */
static int merge_template(struct emu_call *call, json_t **body, struct emu_refusal *why)
{
    const char *machine_image = http_request_param(call->req, "sourceMachineImage");
    const char *text = http_request_param(call->req, "sourceInstanceTemplate");
    json_auto_t *properties = NULL;
    if (machine_image) /* there are none here */
        return emu_call_not_found(why, "%.200s", machine_image);
    if (!text || !*text)
        return 0;
    int rc = emu_template_resolve(call->cloud, text, "sourceInstanceTemplate", &properties, why);
    if (rc < 0)
        return rc;
    json_t *whole = emu_template_body(properties, call->zone);
    if (!whole || json_object_update(whole, *body) < 0) {
        json_decref(whole);
        return emu_refuse(why, 500, "backendError", "No memory for an instance.");
    }
    json_decref(*body);
    *body = whole;
    return 0;
}

static int put(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    struct emu_instance *instance = arg;
    const struct emu_insert_context context =
        emu_insert_context_of(call->cloud, call->zone, call->email);
    int rc = emu_insert_put(&context, instance, why);
    if (rc < 0)
        return rc;
    return emu_write_begin(
        write,
        &(struct emu_operation_spec){.type = "insert",
                                     .target = emu_text_at(instance->resource, "selfLink"),
                                     .target_id = instance->id,
                                     .fault = call->stockout ? EMU_STOCKOUT : NULL},
        why);
}

int emu_instances_insert(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    auto_instance struct emu_instance instance = {0};
    int rc = emu_schema_read(call->req, emu_instance_fields, &body, why);
    if (rc == 0)
        rc = emu_call_permit_new(call, "compute.instances.create", emu_text_at(body, "name"), why);
    if (rc == 0)
        rc = emu_write_replay(call, ret, why);
    if (rc < 0 || *ret)
        return rc;
    const struct emu_insert_context context =
        emu_insert_context_of(call->cloud, call->zone, call->email);
    rc = merge_template(call, &body, why);
    if (rc == 0)
        rc = emu_insert_plan(&context, body, &instance, why);
    return rc < 0 ? rc : emu_write_run(call, put, &instance, ret, why);
}

int emu_instance_named(struct emu_call *call, struct emu_instance *ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    if (emu_instance_find(call->cloud->store, call->zone, call->name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return ret->id ? 0 : emu_call_nothing_here(call, why);
}

int emu_instances_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_named(call, &instance, why);
    if (rc == 0)
        *ret = json_incref(instance.resource);
    return rc;
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

int emu_instances_serial_port(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_named(call, &instance, why);
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
