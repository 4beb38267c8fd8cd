/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fingerprint.h"
#include "insert.h"
#include "ref.h"
#include "zones.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* There is one network, `default`, with one subnetwork of that name in each region. */
static int check_network(const struct emu_insert_context *context, const json_t *nic,
                         struct emu_refusal *why)
{
    static const struct {
        const char *member, *collection, *field;
    } parts[] = {
        {"network", "networks", "resource.networkInterfaces[0].network"},
        {"subnetwork", "subnetworks", "resource.networkInterfaces[0].subnetwork"},
    };
    for (size_t i = 0; i < 2; i++) {
        const char *text = text_of(nic, parts[i].member);
        struct emu_ref ref;
        if (!text || !*text)
            continue;
        if (!emu_ref_parse_as(text, parts[i].collection, &ref))
            return emu_refuse_field(why, parts[i].field, text, "The URL is malformed.");
        if (strcmp(ref.name, "default") != 0)
            return emu_refuse(why, 404, "notFound",
                              "The resource 'projects/%s/%s/%s/%s' was not found",
                              ref.project[0] ? ref.project : context->project,
                              ref.scope[0] ? ref.scope : "global", parts[i].collection, ref.name);
    }
    return 0;
}

static int check_ip(const char *text, uint32_t subnet, uint32_t *ret, struct emu_refusal *why)
{
    struct in_addr address;
    *ret = 0;
    if (!text || !*text)
        return 0;
    if (inet_pton(AF_INET, text, &address) != 1)
        return emu_refuse_field(why, "resource.networkInterfaces[0].networkIP", text,
                                "Must be a valid IPv4 address.");
    uint32_t ip = ntohl(address.s_addr);
    /* The first two are the network's and the gateway's, the last two are reserved. */
    if (ip < subnet + 2 || ip > subnet + EMU_SUBNET_SIZE - 3)
        return emu_refuse_field(why, "resource.networkInterfaces[0].networkIP", text,
                                "Requested internal IP address is not in the subnetwork's range.");
    *ret = ip;
    return 0;
}

static int make_access(const json_t *configs, json_t **ret, struct emu_refusal *why)
{
    if (json_array_size(configs) > 1)
        return emu_refuse_field(why, "resource.networkInterfaces[0].accessConfigs", "",
                                "At most one access config currently supported.");
    const json_t *config = json_array_get(configs, 0);
    const char *name = text_of(config, "name"), *tier = text_of(config, "networkTier");
    *ret = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "kind", "compute#accessConfig", "type",
                     "ONE_TO_ONE_NAT", "name", name ? name : "External NAT", "networkTier",
                     tier ? tier : "PREMIUM", "natIP", text_of(config, "natIP"));
    return 0;
}

static json_t *make_nic(const struct emu_insert_context *context, const json_t *nic)
{
    char region[EMU_ZONE_MAX + 1];
    emu_zone_region(context->zone, region);
    const char *stack = text_of(nic, "stackType");
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:s, s:s*}", "kind", "compute#networkInterface", "name", "nic0",
        "network",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/global/networks/default", context->project),
        "subnetwork",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/regions/%s/subnetworks/default",
                     context->project, region),
        "stackType", stack ? stack : "IPV4_ONLY", "nicType", text_of(nic, "nicType"));
}

int emu_insert_nics(const struct emu_insert_context *context, const json_t *nics, uint32_t *ret_ip,
                    json_t **ret, struct emu_refusal *why)
{
    if (json_array_size(nics) == 0)
        return emu_refuse_field(why, "resource.networkInterfaces", "",
                                "At least one network interface is required.");
    if (json_array_size(nics) > 1)
        return emu_refuse(why, 400, "invalid",
                          "Networks must be distinct for NICs attached to a VM.");
    const json_t *nic = json_array_get(nics, 0);
    int rc = check_network(context, nic, why);
    if (rc == 0)
        rc = check_ip(text_of(nic, "networkIP"), context->subnet, ret_ip, why);
    if (rc < 0)
        return rc;
    json_auto_t *made = make_nic(context, nic);
    const json_t *configs = json_object_get(nic, "accessConfigs");
    if (made && json_array_size(configs) > 0) {
        json_t *access = NULL;
        rc = make_access(configs, &access, why);
        if (rc < 0)
            return rc;
        json_object_set_new(made, "accessConfigs", json_pack("[o]", access));
    }
    if (made)
        json_object_set_new(made, "fingerprint", emu_fingerprint(made));
    *ret = json_pack("[O]", made);
    return 0;
}
