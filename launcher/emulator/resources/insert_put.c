/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "disk.h"
#include "fingerprint.h"
#include "insert.h"
#include "quota.h"
#include "zones.h"

struct emu_insert_context emu_insert_context_of(struct emu_cloud *cloud, const char *zone,
                                                const char *caller)
{
    return (struct emu_insert_context){
        .cloud = cloud,
        .store = cloud->store,
        .project = cloud->project,
        .zone = zone,
        .subnet = emu_room_subnet(cloud->room),
        .default_account = cloud->default_account,
        .caller = caller,
    };
}

static int choose_ip(const struct emu_insert_context *context, struct emu_instance *instance,
                     struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    bool taken = false;
    bool asked = instance->ip != 0;
    int rc = asked ? emu_instance_ip_taken(context->store, instance->ip, &taken, &err)
                   : emu_instance_free_ip(context->store, context->subnet, &instance->ip, &err);
    if (rc < 0)
        return emu_refuse_fault(why, &err);
    if (taken)
        return emu_refuse(why, 400, "ipInUseByAnotherResource",
                          "IP '%u.%u.%u.%u' is already being used by another resource.",
                          instance->ip >> 24, instance->ip >> 16 & 255, instance->ip >> 8 & 255,
                          instance->ip & 255);
    char region[EMU_ZONE_MAX + 1];
    emu_zone_region(context->zone, region);
    if (!instance->ip)
        return emu_refuse(why, 400, "ipSpaceExhausted",
                          "IP space of 'projects/%s/regions/%s/subnetworks/default' is exhausted.",
                          context->project, region);
    return 0;
}

static int place(const struct emu_insert_context *context, struct emu_instance *instance,
                 struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    int rc = choose_ip(context, instance, why);
    if (rc < 0)
        return rc;
    if (emu_id_make(&instance->id, &err) < 0)
        return emu_refuse_fault(why, &err);
    json_t *resource = instance->resource;
    json_object_set_new(resource, "id", json_sprintf("%llu", (unsigned long long)instance->id));
    struct in_addr address = {htonl(instance->ip)};
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address, text, sizeof(text));
    json_t *nic = json_array_get(json_object_get(resource, "networkInterfaces"), 0);
    json_object_set_new(nic, "networkIP", json_string(text));
    json_t *access = json_array_get(json_object_get(nic, "accessConfigs"), 0);
    /* An external address that leads nowhere: TEST-NET-3 (RFC 5737). */
    if (access && !emu_text_at(access, "natIP"))
        json_object_set_new(access, "natIP", json_sprintf("203.0.113.%u", instance->ip & 255));
    json_object_set_new(resource, "fingerprint", emu_fingerprint(resource));
    return 0;
}

/* The disks that are made with it. */
static int make_disks(const struct emu_insert_context *context, struct emu_instance *instance,
                      struct emu_refusal *why)
{
    const char *link = emu_text_at(instance->resource, "selfLink");
    struct vmcp_error err = {0};
    size_t i = 0;
    json_t *body = NULL;
    json_array_foreach(instance->new_disks, i, body)
    {
        auto_resource struct emu_resource disk = {0};
        int rc = emu_disk_put(context->cloud, context->zone, body, &disk, why);
        if (rc < 0)
            return rc;
        emu_disk_add_user(&disk, link);
        if (emu_resource_save(context->store, &disk, &err) < 0)
            return emu_refuse_fault(why, &err);
    }
    return 0;
}

static bool is_new(const struct emu_instance *instance, const char *source)
{
    size_t i = 0;
    json_t *body = NULL;
    json_array_foreach(instance->new_disks, i, body)
    {
        if (strcmp(emu_text_at(body, "selfLink"), source) == 0)
            return true;
    }
    return false;
}

/* A disk that was there before: another's for reading only. */
int emu_insert_take_disk(const struct emu_insert_context *context, struct emu_instance *instance,
                         const json_t *attached, struct emu_refusal *why)
{
    auto_resource struct emu_resource disk = {0};
    struct vmcp_error err = {0};
    const char *source = emu_text_at(attached, "source"), *mode = emu_text_at(attached, "mode");
    if (emu_disk_of(context->store, attached, &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!disk.id)
        return emu_refuse(why, 404, "notFound", "The resource '%.300s' was not found",
                          source + strlen(EMU_COMPUTE_BASE "/"));
    const char *user = json_string_value(json_array_get(json_object_get(disk.body, "users"), 0));
    if (user && strcmp(mode, "READ_ONLY") != 0)
        return emu_refuse(why, 400, "resourceInUseByAnotherResource",
                          "The disk resource '%s' is already being used by '%s'",
                          emu_resource_path(&disk), user + strlen(EMU_COMPUTE_BASE "/"));
    emu_disk_add_user(&disk, emu_text_at(instance->resource, "selfLink"));
    if (emu_resource_save(context->store, &disk, &err) < 0)
        return emu_refuse_fault(why, &err);
    return 0;
}

static int take_disks(const struct emu_insert_context *context, struct emu_instance *instance,
                      struct emu_refusal *why)
{
    size_t i = 0;
    json_t *attached = NULL;
    int rc = make_disks(context, instance, why);
    json_array_foreach(json_object_get(instance->resource, "disks"), i, attached)
    {
        const char *source = emu_text_at(attached, "source");
        if (rc == 0 && source && !is_new(instance, source))
            rc = emu_insert_take_disk(context, instance, attached, why);
    }
    return rc;
}

int emu_insert_put(const struct emu_insert_context *context, struct emu_instance *instance,
                   struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    auto_instance struct emu_instance other = {0};
    if (emu_instance_find(context->store, context->zone, instance->name, &other, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (other.id)
        return emu_refuse(why, 409, "alreadyExists", "The resource '%s' already exists",
                          emu_instance_path(instance));
    int rc = emu_quota_check_instance(context->cloud, context->zone, instance, why);
    if (rc == 0)
        rc = place(context, instance, why);
    if (rc == 0)
        rc = take_disks(context, instance, why);
    if (rc < 0)
        return rc;
    if (emu_instance_insert(context->store, instance, &err) < 0)
        return emu_refuse_fault(why, &err);
    emu_cloud_refresh(context->cloud, instance);
    return 0;
}
