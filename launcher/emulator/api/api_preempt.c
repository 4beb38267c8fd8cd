/* SPDX-License-Identifier: Apache-2.0 */
/* POST /emulator/preempt: Compute Engine takes a Spot VM back. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/json_values.h"
#include "lib/auto.h"
#include "resources/operation.h"
#include "resources/steps.h"
#include "resources/worker.h"
#include "schema.h"

static const struct emu_field fields[] = {{"instance", 's', NULL}, {"zone", 's', NULL}, {0}};

static int check_peer(const struct emu_cloud *cloud, const struct http_request *req,
                      struct emu_refusal *why)
{
    const struct sockaddr_in *peer = (const struct sockaddr_in *)&req->peer;
    uint32_t address = peer->sin_family == AF_INET ? ntohl(peer->sin_addr.s_addr) : 0;
    if (address - emu_room_subnet(cloud->room) >= EMU_SUBNET_SIZE)
        return 0;
    return emu_refuse(why, 403, "forbidden", "A VM cannot preempt.");
}

static bool is_spot(const struct emu_instance *instance)
{
    const json_t *scheduling = json_object_get(instance->resource, "scheduling");
    const char *model = emu_text_at(scheduling, "provisioningModel");
    return emu_true_at(scheduling, "preemptible") || (model && strcmp(model, "SPOT") == 0);
}

static int check(const struct emu_instance *instance, const char *name, const char *zone,
                 struct emu_refusal *why)
{
    if (!instance->id)
        return emu_refuse(why, 404, "notFound", "There is no instance %s in the zone %s.", name,
                          zone);
    if (!is_spot(instance))
        return emu_refuse(why, 400, "badRequest",
                          "%s is no Spot VM (scheduling.provisioningModel): only those are "
                          "preempted.",
                          name);
    if (strcmp(emu_instance_status(instance), "RUNNING") != 0)
        return emu_refuse(why, 400, "resourceNotReady", "%s is %s: only a RUNNING VM is preempted.",
                          name, emu_instance_status(instance));
    return 0;
}

/* Inside a transaction: the instance is told, and the operation begun. */
static int begin(struct emu_cloud *cloud, struct emu_instance *instance, struct emu_operation *op,
                 struct vmcp_error *err)
{
    char scope[EMU_INSTANCE_NAME_MAX + 16];
    snprintf(scope, sizeof(scope), "zones/%s", instance->zone);
    const struct emu_operation_spec spec = {
        .project = cloud->project,
        .scope = scope,
        .collection = "instances",
        .method = EMU_PREEMPTION,
        .type = EMU_PREEMPTION,
        .target = emu_text_at(instance->resource, "selfLink"),
        .user = "system",
        .target_id = instance->id,
    };
    emu_instance_set_status(instance, "STOPPING");
    json_object_set_new(instance->resource, "statusMessage", json_string(EMU_PREEMPTED));
    int rc = emu_instance_save(cloud->store, instance, err);
    return rc < 0 ? rc : emu_operation_begin(cloud->store, &spec, op, err);
}

static int run(struct emu_cloud *cloud, const struct http_request *req, json_t **ret,
               struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    auto_instance struct emu_instance instance = {0};
    auto_operation struct emu_operation op = {0};
    struct vmcp_error err = {0};
    int rc = check_peer(cloud, req, why);
    if (rc == 0)
        rc = emu_schema_read(req, fields, &body, why);
    if (rc < 0)
        return rc;
    const char *name = emu_text_at(body, "instance");
    const char *zone = emu_text_at(body, "zone");
    zone = zone ? zone : cloud->zone;
    if (!name)
        return emu_refuse(why, 400, "badRequest", "instance is wanted: the name of a Spot VM.");
    if (emu_store_begin(cloud->store, &err) < 0)
        return emu_refuse_fault(why, &err);
    int fault = emu_instance_find(cloud->store, zone, name, &instance, &err);
    rc = fault < 0 ? 0 : check(&instance, name, zone, why);
    if (fault == 0 && rc == 0)
        fault = begin(cloud, &instance, &op, &err);
    fault = emu_store_end(cloud->store, rc < 0 ? rc : fault, &err);
    if (rc < 0)
        return rc;
    if (fault < 0)
        return emu_refuse_fault(why, &err);
    emu_cloud_refresh(cloud, &instance);
    emu_worker_add(cloud->worker, op.id);
    *ret = json_incref(op.resource);
    return 0;
}

void emu_api_preempt(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_refusal why = {0};
    json_auto_t *answer = NULL;
    if (run(app, req, &answer, &why) < 0)
        emu_refusal_reply(&why, reply);
    else
        http_reply_json(reply, 200, answer);
}
