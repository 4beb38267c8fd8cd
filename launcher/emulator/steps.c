/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "operation.h"

/* Change the status of the instance and stamp it, if it is there and not being deleted meanwhile.
 * Inside a transaction. */
static int set_status(struct emu_cloud *cloud, uint64_t id, const char *status, const char *stamp,
                      struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(cloud->store, id, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    if (strcmp(emu_instance_status(&instance), "STOPPING") == 0 &&
        strcmp(status, "TERMINATED") != 0)
        return 0;
    emu_instance_set_status(&instance, status);
    if (stamp)
        emu_instance_stamp(&instance, stamp);
    return emu_instance_save(cloud->store, &instance, err);
}

static int drop(struct emu_cloud *cloud, uint64_t id, struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(cloud->store, id, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    emu_cloud_forget(cloud, &instance);
    return emu_instance_delete(cloud->store, id, err);
}

static bool is_type(const struct emu_operation *op, const char *type)
{
    return strcmp(emu_operation_type(op), type) == 0;
}

static int begin(struct emu_cloud *cloud, struct emu_operation *op, struct vmcp_error *err)
{
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_operation_run(cloud->store, op, err);
    if (rc == 0 && (is_type(op, "insert") || is_type(op, "start")))
        rc = set_status(cloud, op->target, "STAGING", NULL, err);
    return emu_store_end(cloud->store, rc, err);
}

/* Do to the processes what the operation asks for. Outside any transaction: it takes its time. */
static int act(struct emu_cloud *cloud, const struct emu_operation *op, struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(cloud->store, op->target, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    if (is_type(op, "delete") || is_type(op, "stop") || is_type(op, "reset"))
        emu_room_halt(cloud->room, instance.id);
    bool boots = is_type(op, "insert") || is_type(op, "start") || is_type(op, "reset");
    if (!boots || strcmp(emu_instance_status(&instance), "STOPPING") == 0)
        return 0;
    const char *custom = json_string_value(json_object_get(instance.resource, "hostname"));
    char hostname[256];
    if (custom && *custom)
        snprintf(hostname, sizeof(hostname), "%s", custom);
    else
        snprintf(hostname, sizeof(hostname), "%s.%s.c.%s.internal", instance.name, instance.zone,
                 cloud->project);
    const struct emu_vm_spec spec = {
        .id = instance.id,
        .name = instance.name,
        .hostname = hostname,
        .ip = {htonl(instance.ip)},
    };
    return emu_room_boot(cloud->room, &spec, err);
}

/* Write down what came of it. `failed` is NULL after success. */
static int record(struct emu_cloud *cloud, struct emu_operation *op,
                  const struct vmcp_error *failed, struct vmcp_error *err)
{
    int rc = 0;
    if (is_type(op, "delete") || (is_type(op, "insert") && failed))
        rc = drop(cloud, op->target, err); /* an insert that failed leaves nothing */
    else if (is_type(op, "insert") || ((is_type(op, "start") || is_type(op, "reset")) && !failed))
        rc = set_status(cloud, op->target, "RUNNING", "lastStartTimestamp", err);
    else if (is_type(op, "stop") || is_type(op, "start") || is_type(op, "reset"))
        rc = set_status(cloud, op->target, "TERMINATED", "lastStopTimestamp", err);
    return rc < 0 ? rc : emu_operation_finish(cloud->store, op, failed, err);
}

static int finish(struct emu_cloud *cloud, struct emu_operation *op, struct vmcp_error *err)
{
    struct vmcp_error failed = {0};
    bool good = act(cloud, op, &failed) == 0;
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_store_end(cloud->store, record(cloud, op, good ? NULL : &failed, err), err);
    http_server_wake(cloud->api);
    return rc;
}

int emu_step(struct emu_cloud *cloud, uint64_t operation_id, bool *ret_done, struct vmcp_error *err)
{
    auto_operation struct emu_operation op = {0};
    *ret_done = true;
    int rc = emu_operation_by_id(cloud->store, operation_id, &op, err);
    if (rc < 0 || !op.id || emu_operation_is(&op, "DONE"))
        return rc;
    if (emu_operation_is(&op, "RUNNING"))
        return finish(cloud, &op, err);
    *ret_done = false;
    return begin(cloud, &op, err);
}

struct recovery {
    struct emu_cloud *cloud;
    uint64_t ids[EMU_SUBNET_SIZE]; /* of those that were up */
    size_t count;
};

static int note_instance(void *arg, struct emu_instance *instance)
{
    struct recovery *recovery = arg;
    const char *status = emu_instance_status(instance);
    emu_cloud_refresh(recovery->cloud, instance);
    if (strcmp(status, "RUNNING") == 0 && recovery->count < EMU_SUBNET_SIZE)
        recovery->ids[recovery->count++] = instance->id;
    return 0;
}

int emu_steps_recover(struct emu_cloud *cloud, struct vmcp_error *err)
{
    struct recovery recovery = {.cloud = cloud};
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_instance_each(cloud->store, NULL, note_instance, &recovery, err);
    bool lost = strcmp(emu_room_driver(cloud->room), "none") != 0;
    for (size_t i = 0; rc == 0 && lost && i < recovery.count; i++)
        rc = set_status(cloud, recovery.ids[i], "TERMINATED", "lastStopTimestamp", err);
    return emu_store_end(cloud->store, rc, err);
}
