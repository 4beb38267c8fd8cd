/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ref.h"
#include "guest_attributes.h"
#include "lib/auto.h"
#include "resources/images.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *last_part(const char *link)
{
    const char *slash = strrchr(link, '/');
    return slash ? slash + 1 : link;
}

/* Booleans are written so in the metadata tree. */
static const char *truth(const json_t *value)
{
    return json_is_true(value) ? "TRUE" : "FALSE";
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The custom metadata as an object, in the order of the keys. */
static json_t *attributes(const json_t *metadata)
{
    const json_t *items = json_object_get(metadata, "items");
    size_t count = json_array_size(items);
    json_t *object = json_object();
    json_auto_t *values = json_object();
    auto_free const char **keys = calloc(count + 1, sizeof(*keys));
    if (!object || !values || !keys)
        return object;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);
        keys[i] = text_of(item, "key");
        json_object_set(values, keys[i], json_object_get(item, "value"));
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < count; i++)
        json_object_set(object, keys[i], json_object_get(values, keys[i]));
    return object;
}

static json_t *disks(const json_t *resource)
{
    json_t *list = json_array();
    size_t i = 0;
    json_t *disk = NULL;
    json_array_foreach(json_object_get(resource, "disks"), i, disk)
    {
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:s, s:s, s:s}", "deviceName", text_of(disk, "deviceName"),
                            "index", (int)i, "interface", text_of(disk, "interface"), "mode",
                            text_of(disk, "mode"), "type", text_of(disk, "type")));
    }
    return list;
}

static json_t *access_configs(const json_t *nic)
{
    json_t *list = json_array();
    size_t i = 0;
    json_t *config = NULL;
    json_array_foreach(json_object_get(nic, "accessConfigs"), i, config)
    {
        json_array_append_new(list, json_pack("{s:s, s:s}", "externalIp", text_of(config, "natIP"),
                                              "type", "ONE_TO_ONE_NAT"));
    }
    return list;
}

static json_t *dotted(uint32_t ip)
{
    return json_sprintf("%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static json_t *ip_aliases(const json_t *nic)
{
    json_t *list = json_array();
    size_t i = 0;
    json_t *range = NULL;
    json_array_foreach(json_object_get(nic, "aliasIpRanges"), i, range)
        json_array_append(list, json_object_get(range, "ipCidrRange"));
    return list;
}

static json_t *network_interfaces(const struct emu_tree_project *project,
                                  const struct emu_instance *instance)
{
    const json_t *nic = json_array_get(json_object_get(instance->resource, "networkInterfaces"), 0);
    uint32_t ip = instance->ip;
    return json_pack(
        "[{s:o, s:[s], s:[], s:[], s:o, s:s, s:o, s:o, s:i, s:o, s:s, s:[]}]", "accessConfigs",
        access_configs(nic), "dnsServers", "169.254.169.254", "forwardedIps", "forwardedIpv6s",
        "gateway", dotted((ip & ~(uint32_t)(EMU_SUBNET_SIZE - 1)) + 1), "ip",
        text_of(nic, "networkIP"), "ipAliases", ip_aliases(nic), "mac",
        json_sprintf("42:01:%02x:%02x:%02x:%02x", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                     ip & 255),
        "mtu", 1460, "network", json_sprintf("projects/%s/networks/default", project->number),
        "subnetmask", "255.255.240.0", "targetInstanceIps");
}

static json_t *account_entry(const json_t *account)
{
    const json_t *scopes = json_object_get(account, "scopes");
    return json_pack("{s:[s], s:s, s:o}", "aliases", "default", "email", text_of(account, "email"),
                     "scopes", scopes ? json_deep_copy(scopes) : json_array());
}

/* The account under both of its names; an empty object where there is none. */
static json_t *service_accounts(const json_t *resource)
{
    json_t *object = json_object();
    const json_t *account = json_array_get(json_object_get(resource, "serviceAccounts"), 0);
    if (account) {
        json_object_set_new(object, "default", account_entry(account));
        json_object_set_new(object, text_of(account, "email"), account_entry(account));
    }
    return object;
}

static json_t *licenses(const struct emu_instance *instance)
{
    struct emu_ref ref;
    if (!emu_ref_parse_as(instance->image, "images", &ref))
        return json_array();
    json_auto_t *image = emu_image_public(ref.project, ref.name);
    const json_t *code = json_array_get(json_object_get(image, "licenseCodes"), 0);
    return code ? json_pack("[{s:s}]", "id", json_string_value(code)) : json_array();
}

static json_t *hostname(const struct emu_tree_project *project, const struct emu_instance *instance)
{
    const char *custom = text_of(instance->resource, "hostname");
    if (*custom)
        return json_string(custom);
    return json_sprintf("%s.%s.c.%s.internal", instance->name, instance->zone, project->id);
}

static json_t *instance_tree(const struct emu_tree_project *project,
                             const struct emu_instance *instance)
{
    const json_t *resource = instance->resource;
    const json_t *scheduling = json_object_get(resource, "scheduling");
    const json_t *tags = json_object_get(json_object_get(resource, "tags"), "items");
    return json_pack(
        "{s:o, s:s, s:s, s:o, s:{}, s:o, s:I, s:s, s:o, s:o, s:s, s:s, s:o, s:{}, s:s, s:i,"
        " s:{s:s, s:s, s:s, s:s}, s:o, s:o, s:{s:s}, s:{}, s:o}",
        "attributes", attributes(json_object_get(resource, "metadata")), "cpuPlatform",
        text_of(resource, "cpuPlatform"), "description", text_of(resource, "description"), "disks",
        disks(resource), "guestAttributes", "hostname", hostname(project, instance), "id",
        (json_int_t)instance->id, "image", instance->image, "licenses", licenses(instance),
        "machineType",
        json_sprintf("projects/%s/machineTypes/%s", project->number,
                     last_part(text_of(resource, "machineType"))),
        "maintenanceEvent", "NONE", "name", instance->name, "networkInterfaces",
        network_interfaces(project, instance), "partnerAttributes", "preempted",
        strcmp(text_of(resource, "statusMessage"), EMU_PREEMPTED) == 0 ? "TRUE" : "FALSE",
        "remainingCpuTime", -1, "scheduling", "automaticRestart",
        truth(json_object_get(scheduling, "automaticRestart")), "onHostMaintenance",
        text_of(scheduling, "onHostMaintenance"), "preemptible",
        strcmp(text_of(scheduling, "provisioningModel"), "SPOT") == 0
            ? "TRUE"
            : truth(json_object_get(scheduling, "preemptible")),
        "provisioningModel", text_of(scheduling, "provisioningModel"), "serviceAccounts",
        service_accounts(resource), "tags", tags ? json_deep_copy(tags) : json_array(),
        "virtualClock", "driftToken", "0", "vlanNetworkInterfaces", "zone",
        json_sprintf("projects/%s/zones/%s", project->number, instance->zone));
}

json_t *emu_tree_make(const struct emu_tree_project *project, const struct emu_instance *instance,
                      const json_t *guest)
{
    int64_t number = strtoll(project->number, NULL, 10);
    json_t *tree =
        json_pack("{s:o, s:{s:{s:{}}}, s:{s:{}, s:I, s:s}, s:{s:s}}", "instance",
                  instance_tree(project, instance), "oslogin", "authenticate", "sessions",
                  "project", "attributes", "numericProjectId", (json_int_t)number, "projectId",
                  project->id, "universe", "universeDomain", "googleapis.com");
    if (guest && emu_guest_attributes_enabled(tree))
        json_object_set(json_object_get(tree, "instance"), "guestAttributes",
                        (json_t *)(uintptr_t)guest);
    return tree;
}
