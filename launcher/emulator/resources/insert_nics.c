/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fingerprint.h"
#include "insert.h"
#include "networks.h"
#include "zones.h"

enum { LINK_MAX = 512 };

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
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

static json_t *make_nic(const json_t *nic, const char *network, const char *subnetwork)
{
    const char *stack = text_of(nic, "stackType");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "kind", "compute#networkInterface", "name",
                     "nic0", "network", network, "subnetwork", subnetwork, "stackType",
                     stack ? stack : "IPV4_ONLY", "nicType", text_of(nic, "nicType"));
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
    char region[EMU_ZONE_MAX + 1], network[LINK_MAX], subnetwork[LINK_MAX];
    emu_zone_region(context->zone, region);
    int rc = emu_networks_resolve(context->cloud, region, text_of(nic, "network"),
                                  text_of(nic, "subnetwork"), network, subnetwork, why);
    if (rc == 0)
        rc = check_ip(text_of(nic, "networkIP"), context->subnet, ret_ip, why);
    if (rc < 0)
        return rc;
    json_auto_t *made = make_nic(nic, network, subnetwork);
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
