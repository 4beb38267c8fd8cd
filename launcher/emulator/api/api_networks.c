/* SPDX-License-Identifier: Apache-2.0 */
/* How networks and subnetworks are made, and when they may go. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "resources/fingerprint.h"
#include "resources/instance.h"
#include "resources/zones.h"

enum { PREFIX_MIN = 8, PREFIX_MAX = 29 };

static int refuse_in_use(const struct emu_resource *resource, const char *kind, const char *user,
                         struct emu_refusal *why)
{
    return emu_refuse(why, 400, "resourceInUseByAnotherResource",
                      "The %s resource '%s' is already being used by '%s'", kind,
                      emu_resource_path(resource), user);
}

/* Somebody whose `member` is `link`. */
struct use {
    const char *member, *link;
    char user[256];
    bool drop; /* collect ids instead */
    uint64_t ids[64];
    size_t count;
};

static int look_in_instance(void *arg, struct emu_instance *instance)
{
    struct use *use = arg;
    const json_t *nic = json_array_get(json_object_get(instance->resource, "networkInterfaces"), 0);
    const char *link = emu_text_at(nic, use->member);
    if (link && strcmp(link, use->link) == 0)
        snprintf(use->user, sizeof(use->user), "%s", emu_instance_path(instance));
    return 0;
}

static int look_in_resource(void *arg, struct emu_resource *resource)
{
    struct use *use = arg;
    const char *link = emu_text_at(resource->body, use->member);
    if (!link || strcmp(link, use->link) != 0)
        return 0;
    if (use->drop && use->count < sizeof(use->ids) / sizeof(use->ids[0]))
        use->ids[use->count++] = resource->id;
    else
        snprintf(use->user, sizeof(use->user), "%s", emu_resource_path(resource));
    return 0;
}

/* One subnetwork of the network's name in each region, each saying the network's real range. */
static int make_subnetworks(struct emu_call *call, const struct emu_resource *network,
                            struct emu_refusal *why)
{
    char region[EMU_ZONE_MAX + 1], last[EMU_ZONE_MAX + 1] = "";
    struct vmcp_error err = {0};
    const char *zone = NULL;
    json_t *links = json_array();
    json_object_set_new(network->body, "subnetworks", links);
    for (size_t i = 0; (zone = emu_zone_at(i)); i++) {
        auto_resource struct emu_resource model = {0};
        emu_zone_region(zone, region);
        if (strcmp(region, last) == 0)
            continue;
        snprintf(last, sizeof(last), "%s", region);
        char scope[EMU_ZONE_MAX + 16];
        snprintf(scope, sizeof(scope), "regions/%s", region);
        if (emu_resource_find(call->cloud->store, "subnetworks", scope, "default", &model, &err) <
                0 ||
            emu_id_make(&model.id, &err) < 0)
            return emu_refuse_fault(why, &err);
        snprintf(model.collection, sizeof(model.collection), "subnetworks");
        snprintf(model.scope, sizeof(model.scope), "%s", scope);
        snprintf(model.name, sizeof(model.name), "%s", network->name);
        if (!model.body)
            model.body = json_object();
        json_object_set_new(model.body, "id", json_sprintf("%llu", (unsigned long long)model.id));
        json_object_set_new(model.body, "name", json_string(network->name));
        json_object_set_new(model.body, "network", json_string(emu_resource_link(network)));
        json_object_set_new(model.body, "selfLink",
                            json_sprintf(EMU_COMPUTE_BASE "/projects/%s/%s/subnetworks/%s",
                                         call->project, scope, network->name));
        if (emu_resource_insert(call->cloud->store, &model, &err) < 0)
            return emu_refuse_fault(why, &err);
        json_array_append_new(links, json_string(emu_resource_link(&model)));
    }
    return 0;
}

int emu_network_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    json_t *body = resource->body;
    const json_t *automatic = json_object_get(body, "autoCreateSubnetworks");
    if (json_object_get(body, "IPv4Range"))
        return emu_refuse_field(why, "resource.IPv4Range", emu_text_at(body, "IPv4Range"),
                                "Legacy networks are not supported.");
    json_object_set_new(body, "autoCreateSubnetworks",
                        json_boolean(!automatic || json_is_true(automatic)));
    if (!json_object_get(body, "routingConfig"))
        json_object_set_new(body, "routingConfig", json_pack("{s:s}", "routingMode", "REGIONAL"));
    if (!json_object_get(body, "mtu"))
        json_object_set_new(body, "mtu", json_integer(1460));
    return automatic && !json_is_true(automatic) ? 0 : make_subnetworks(call, resource, why);
}

int emu_network_check_delete(struct emu_call *call, struct emu_resource *resource,
                             struct emu_refusal *why)
{
    struct emu_store *store = call->cloud->store;
    struct vmcp_error err = {0};
    struct use use = {.member = "network", .link = emu_resource_link(resource)};
    if (emu_instance_each(store, NULL, look_in_instance, &use, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (use.user[0])
        return refuse_in_use(resource, "network", use.user, why);
    use.drop = emu_true_at(resource->body, "autoCreateSubnetworks");
    if (emu_resource_each(store, "subnetworks", NULL, look_in_resource, &use, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (use.user[0])
        return refuse_in_use(resource, "network", use.user, why);
    for (size_t i = 0; i < use.count; i++)
        if (emu_resource_delete(store, use.ids[i], &err) < 0)
            return emu_refuse_fault(why, &err);
    return 0;
}

/* A.B.C.D/N without bits behind the prefix. */
static bool is_range(const char *text, char ret_gateway[static INET_ADDRSTRLEN])
{
    char address[INET_ADDRSTRLEN];
    const char *slash = text ? strchr(text, '/') : NULL;
    struct in_addr in;
    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    char *end = NULL;
    long prefix = strtol(slash + 1, &end, 10);
    if (inet_pton(AF_INET, address, &in) != 1 || !slash[1] || *end || prefix < PREFIX_MIN ||
        prefix > PREFIX_MAX || (ntohl(in.s_addr) & (UINT32_MAX >> prefix)) != 0)
        return false;
    in.s_addr = htonl(ntohl(in.s_addr) + 1);
    return inet_ntop(AF_INET, &in, ret_gateway, INET_ADDRSTRLEN) != NULL;
}

int emu_subnetwork_make(struct emu_call *call, struct emu_resource *resource,
                        struct emu_refusal *why)
{
    json_t *body = resource->body;
    auto_resource struct emu_resource network = {0};
    struct vmcp_error err = {0};
    struct emu_ref ref;
    char gateway[INET_ADDRSTRLEN];
    const char *text = emu_text_at(body, "network"), *range = emu_text_at(body, "ipCidrRange");
    if (!text || !emu_ref_parse_as(text, "networks", &ref))
        return emu_refuse_field(why, "resource.network", text ? text : "", "The URL is malformed.");
    if (emu_resource_find(call->cloud->store, "networks", "global", ref.name, &network, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!network.id)
        return emu_call_not_found(why, "projects/%s/global/networks/%s", call->project, ref.name);
    if (emu_true_at(network.body, "autoCreateSubnetworks"))
        return emu_refuse_field(why, "resource.network", text,
                                "Cannot create a subnetwork in an auto mode network.");
    if (!is_range(range, gateway))
        return emu_refuse_field(why, "resource.ipCidrRange", range ? range : "",
                                "Must be a CIDR address range that is contained in the RFC 1918 "
                                "address spaces, like 10.0.0.0/24.");
    json_object_set_new(body, "network", json_string(emu_resource_link(&network)));
    json_object_set_new(body, "gatewayAddress", json_string(gateway));
    json_object_set_new(body, "fingerprint", emu_fingerprint(body));
    if (!json_object_get(body, "purpose"))
        json_object_set_new(body, "purpose", json_string("PRIVATE"));
    return 0;
}

int emu_subnetwork_check_delete(struct emu_call *call, struct emu_resource *resource,
                                struct emu_refusal *why)
{
    struct use use = {.member = "subnetwork", .link = emu_resource_link(resource)};
    struct vmcp_error err = {0};
    if (emu_instance_each(call->cloud->store, NULL, look_in_instance, &use, &err) < 0)
        return emu_refuse_fault(why, &err);
    return use.user[0] ? refuse_in_use(resource, "subnetwork", use.user, why) : 0;
}
