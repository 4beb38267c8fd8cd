/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "disk.h"
#include "instance.h"
#include "machine_types.h"
#include "member.h"
#include "operation.h"

enum {
    POLL_MS = 20,
    STOP_MS = 90000,   /* what a shutdown script gets */
    NOTICE_MS = 30000, /* and what is left before a preemption */
};

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
    if (strcmp(status, "STAGING") == 0 && json_object_del(instance.resource, "statusMessage") == 0)
        emu_cloud_refresh(cloud, &instance); /* it is no longer preempted */
    if (stamp)
        emu_instance_stamp(&instance, stamp);
    return emu_instance_save(cloud->store, &instance, err);
}

/* A disk goes with its instance, or stays without it. */
static int leave_disk(struct emu_cloud *cloud, const struct emu_instance *instance,
                      const json_t *attached, struct vmcp_error *err)
{
    auto_resource struct emu_resource disk = {0};
    int rc = emu_disk_of(cloud->store, attached, &disk, err);
    if (rc < 0 || !disk.id)
        return rc;
    emu_disk_drop_user(&disk, emu_text_at(instance->resource, "selfLink"));
    bool used = json_object_get(disk.body, "users") != NULL;
    if (!used && emu_true_at(attached, "autoDelete"))
        return emu_resource_delete(cloud->store, disk.id, err);
    return emu_resource_save(cloud->store, &disk, err);
}

/* The instance is gone; `failed` says why if it never came to be. */
static int drop(struct emu_cloud *cloud, uint64_t id, const struct emu_failure *failed,
                struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    size_t i = 0;
    json_t *attached = NULL;
    int rc = emu_instance_by_id(cloud->store, id, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    json_array_foreach(json_object_get(instance.resource, "disks"), i, attached)
    {
        if (rc == 0)
            rc = leave_disk(cloud, &instance, attached, err);
    }
    if (rc == 0 && instance.manager)
        rc = emu_member_note(cloud->store, instance.manager, instance.zone, instance.name, "",
                             failed ? failed->message : "", err);
    if (rc == 0)
        rc = emu_instance_delete(cloud->store, id, err);
    if (rc == 0)
        emu_cloud_forget(cloud, &instance);
    return rc;
}

static bool is_of_instance(const struct emu_operation *op)
{
    return strcmp(op->collection, "instances") == 0;
}

static bool is_type(const struct emu_operation *op, const char *type)
{
    return strcmp(emu_operation_type(op), type) == 0;
}

/* Starting, in whatever way. */
static bool is_boot(const struct emu_operation *op)
{
    return is_type(op, "insert") || is_type(op, "start") || is_type(op, "resume") ||
           is_type(op, "reset");
}

static int begin(struct emu_cloud *cloud, struct emu_operation *op, struct vmcp_error *err)
{
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_operation_run(cloud->store, op, err);
    if (rc == 0 && is_boot(op) && !is_type(op, "reset"))
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
    if (is_type(op, "delete") || is_type(op, "stop") || is_type(op, "reset") ||
        is_type(op, "suspend") || is_type(op, EMU_PREEMPTION))
        emu_room_halt(cloud->room, instance.id);
    if (!is_boot(op) || strcmp(emu_instance_status(&instance), "STOPPING") == 0)
        return 0;
    const char *custom = json_string_value(json_object_get(instance.resource, "hostname"));
    char hostname[256];
    if (custom && *custom)
        snprintf(hostname, sizeof(hostname), "%s", custom);
    else
        snprintf(hostname, sizeof(hostname), "%s.%s.c.%s.internal", instance.name, instance.zone,
                 cloud->project);
    struct emu_machine_type type = {.cpus = 1, .memory_mb = 1024};
    const char *link = emu_text_at(instance.resource, "machineType");
    const char *slash = link ? strrchr(link, '/') : NULL;
    char why[256];
    if (slash && !emu_machine_type_find(slash + 1, &type, why, sizeof(why)))
        return vmcp_fail(err, VMCP_E_INTERNAL, "machine type %s: %s", slash + 1, why);
    const struct emu_vm_spec spec = {
        .id = instance.id,
        .cpus = type.cpus,
        .memory_mb = type.memory_mb,
        .name = instance.name,
        .hostname = hostname,
        .ip = {htonl(instance.ip)},
    };
    return emu_room_boot(cloud->room, &spec, err);
}

static bool deletes_when_preempted(const struct emu_cloud *cloud, uint64_t id)
{
    struct vmcp_error err = {0};
    auto_instance struct emu_instance instance = {0};
    if (emu_instance_by_id(cloud->store, id, &instance, &err) < 0 || !instance.id)
        return false;
    const char *action =
        emu_text_at(json_object_get(instance.resource, "scheduling"), "instanceTerminationAction");
    return action && strcmp(action, "DELETE") == 0;
}

/* What came of it for the instance. */
static int record_instance(struct emu_cloud *cloud, const struct emu_operation *op,
                           const struct emu_failure *failed, struct vmcp_error *err)
{
    if (is_type(op, "delete") || (is_type(op, "insert") && failed))
        return drop(cloud, op->target, failed, err); /* an insert that failed leaves nothing */
    if (is_boot(op) && (is_type(op, "insert") || !failed))
        return set_status(cloud, op->target, "RUNNING", "lastStartTimestamp", err);
    if (is_type(op, EMU_PREEMPTION) && deletes_when_preempted(cloud, op->target))
        return drop(cloud, op->target, NULL, err);
    if (is_type(op, "stop") || is_type(op, EMU_PREEMPTION) || is_boot(op))
        return set_status(cloud, op->target, "TERMINATED", "lastStopTimestamp", err);
    if (is_type(op, "suspend"))
        return set_status(cloud, op->target, "SUSPENDED", "lastSuspendedTimestamp", err);
    return 0;
}

/* The row of an insert that failed, or of a delete, goes; a manager's group goes with it. */
static int record_resource(struct emu_cloud *cloud, const struct emu_operation *op,
                           const struct emu_failure *failed, struct vmcp_error *err)
{
    auto_resource struct emu_resource resource = {0}, group = {0};
    if (!is_type(op, "delete") && !(is_type(op, "insert") && failed))
        return 0;
    int rc = emu_resource_by_id(cloud->store, op->target, &resource, err);
    if (rc < 0 || !resource.id)
        return rc;
    if (strcmp(resource.collection, "instanceGroupManagers") == 0)
        rc = emu_resource_find(cloud->store, "instanceGroups", resource.scope, resource.name,
                               &group, err);
    if (rc == 0 && group.id)
        rc = emu_resource_delete(cloud->store, group.id, err);
    if (rc == 0)
        rc = emu_member_remove_all(cloud->store, resource.id, err);
    return rc < 0 ? rc : emu_resource_delete(cloud->store, resource.id, err);
}

/* Write down what came of it. `failed` is NULL after success. */
static int record(struct emu_cloud *cloud, struct emu_operation *op,
                  const struct emu_failure *failed, struct vmcp_error *err)
{
    int rc = is_of_instance(op) ? record_instance(cloud, op, failed, err)
                                : record_resource(cloud, op, failed, err);
    return rc < 0 ? rc : emu_operation_finish(cloud->store, op, failed, err);
}

/* What a zone without machines answers. */
static void fail_by_stockout(const struct emu_cloud *cloud, const struct emu_operation *op,
                             struct emu_failure *ret)
{
    const char *link = emu_text_at(op->resource, "zone");
    *ret = (struct emu_failure){503, EMU_STOCKOUT, "SERVICE UNAVAILABLE", ""};
    snprintf(ret->message, sizeof(ret->message),
             "The zone 'projects/%s/zones/%s' does not have enough resources available to fulfill "
             "the request.  Try a different zone, or try again later.",
             cloud->project, link ? strrchr(link, '/') + 1 : cloud->zone);
}

/* True if it failed. */
static bool carry_out(struct emu_cloud *cloud, const struct emu_operation *op,
                      struct emu_failure *ret)
{
    struct vmcp_error err = {0};
    if (op->fault[0]) {
        fail_by_stockout(cloud, op, ret);
        return true;
    }
    if (!is_of_instance(op) || act(cloud, op, &err) == 0)
        return false;
    *ret = (struct emu_failure){500, "INTERNAL_ERROR", "INTERNAL SERVER ERROR", ""};
    snprintf(ret->message, sizeof(ret->message), "%s", err.text);
    return true;
}

static int finish(struct emu_cloud *cloud, struct emu_operation *op, struct vmcp_error *err)
{
    struct emu_failure failure = {0};
    bool failed = carry_out(cloud, op, &failure);
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_store_end(cloud->store, record(cloud, op, failed ? &failure : NULL, err), err);
    atomic_store(&cloud->groups_due, true);
    http_server_wake(cloud->api);
    return rc;
}

static bool has_shutdown_script(const struct emu_instance *instance)
{
    const json_t *metadata = json_object_get(instance->resource, "metadata");
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(metadata, "items"), i, item)
    {
        const char *key = emu_text_at(item, "key");
        if (key && (strcmp(key, "shutdown-script") == 0 || strcmp(key, "shutdown-script-url") == 0))
            return true;
    }
    return false;
}

/* A guest has time for its shutdown script, and for what it does when it is preempted. */
static int is_ending(const struct emu_cloud *cloud, const struct emu_operation *op, bool *ret,
                     struct vmcp_error *err)
{
    bool preempted = is_type(op, EMU_PREEMPTION);
    *ret = false;
    if (!preempted && !is_type(op, "stop") && !is_type(op, "delete"))
        return 0;
    auto_instance struct emu_instance instance = {0};
    int rc = emu_instance_by_id(cloud->store, op->target, &instance, err);
    if (rc < 0 || !instance.id)
        return rc;
    bool ask = has_shutdown_script(&instance);
    if (ask || preempted)
        *ret = emu_room_ending(cloud->room, instance.id, ask, preempted ? NOTICE_MS : STOP_MS);
    return 0;
}

int emu_step_ended(struct emu_cloud *cloud, uint64_t instance_id, struct vmcp_error *err)
{
    auto_instance struct emu_instance instance = {0};
    if (emu_room_running(cloud->room, instance_id))
        return 0; /* it was started again meanwhile */
    emu_room_halt(cloud->room, instance_id);
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    rc = emu_instance_by_id(cloud->store, instance_id, &instance, err);
    if (rc == 0 && instance.id && strcmp(emu_instance_status(&instance), "RUNNING") == 0)
        rc = set_status(cloud, instance_id, "TERMINATED", "lastStopTimestamp", err);
    rc = emu_store_end(cloud->store, rc, err);
    atomic_store(&cloud->groups_due, true);
    return rc;
}

/* A managed group's delete waits for its instances, a bulk insert for those that it made. */
static int is_waiting(struct emu_cloud *cloud, const struct emu_operation *op, bool *ret,
                      struct vmcp_error *err)
{
    int64_t open = 0, failed = 0;
    auto_members struct emu_members members = {0};
    int rc = 0;
    if (is_of_instance(op) && !is_type(op, "bulkInsert"))
        return is_ending(cloud, op, ret, err);
    if (is_type(op, "bulkInsert"))
        rc = emu_operation_count_batch(cloud->store, op->target, &open, &failed, err);
    else if (is_type(op, "delete") && strcmp(op->collection, "instanceGroupManagers") == 0)
        rc = emu_members_read(cloud->store, op->target, &members, err);
    *ret = open > 0 || members.count > 0;
    return rc;
}

int emu_step(struct emu_cloud *cloud, uint64_t operation_id, int *ret_after_ms,
             struct vmcp_error *err)
{
    auto_operation struct emu_operation op = {0};
    bool waiting = false;
    *ret_after_ms = -1;
    int rc = emu_operation_by_id(cloud->store, operation_id, &op, err);
    if (rc < 0 || !op.id || emu_operation_is(&op, "DONE"))
        return rc;
    if (!emu_operation_is(&op, "RUNNING")) {
        *ret_after_ms = cloud->operation_delay_ms;
        return begin(cloud, &op, err);
    }
    rc = is_waiting(cloud, &op, &waiting, err);
    if (rc == 0 && waiting)
        *ret_after_ms = is_of_instance(&op) ? 5 * POLL_MS : POLL_MS;
    return rc < 0 || waiting ? rc : finish(cloud, &op, err);
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
