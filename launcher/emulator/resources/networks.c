/* SPDX-License-Identifier: Apache-2.0 */
#include "networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/collections.h"
#include "base/clock.h"
#include "base/json_values.h"
#include "base/ref.h"
#include "fingerprint.h"
#include "instance.h"
#include "zones.h"

enum { LINK_MAX = 512 };

static const char *link_of(const struct emu_cloud *cloud, const char *scope, const char *collection,
                           const char *name, char ret[static LINK_MAX])
{
    snprintf(ret, LINK_MAX, EMU_COMPUTE_BASE "/projects/%s/%s/%s/%s", cloud->project, scope,
             collection, name);
    return ret;
}

/* A row that comes with the project. */
static int seed(struct emu_cloud *cloud, const char *collection, const char *scope, json_t *body,
                struct vmcp_error *err)
{
    auto_resource struct emu_resource row = {.body = body}, other = {0};
    char now[EMU_TIME_LEN + 1], link[LINK_MAX];
    emu_clock_text(emu_clock_ms(), now);
    int rc = emu_resource_find(cloud->store, collection, scope, "default", &other, err);
    if (rc == 0 && !other.id)
        rc = emu_id_make(&row.id, err);
    if (rc < 0 || other.id)
        return rc;
    snprintf(row.collection, sizeof(row.collection), "%s", collection);
    snprintf(row.scope, sizeof(row.scope), "%s", scope);
    snprintf(row.name, sizeof(row.name), "default");
    json_object_set_new(body, "kind",
                        json_sprintf("compute#%s", emu_collection_find(collection)->singular));
    json_object_set_new(body, "id", json_sprintf("%llu", (unsigned long long)row.id));
    json_object_set_new(body, "creationTimestamp", json_string(now));
    json_object_set_new(body, "name", json_string("default"));
    json_object_set_new(body, "selfLink",
                        json_string(link_of(cloud, scope, collection, "default", link)));
    return emu_resource_insert(cloud->store, &row, err);
}

static json_t *default_subnetwork(struct emu_cloud *cloud, const char *region)
{
    struct in_addr range = {htonl(emu_room_subnet(cloud->room))};
    struct in_addr gateway = {htonl(emu_room_subnet(cloud->room) + 1)};
    char network[LINK_MAX], cidr[INET_ADDRSTRLEN + 4], first[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &range, cidr, INET_ADDRSTRLEN);
    inet_ntop(AF_INET, &gateway, first, sizeof(first));
    memcpy(cidr + strlen(cidr), "/20", 4);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:s, s:s}", "network",
                  link_of(cloud, "global", "networks", "default", network), "ipCidrRange", cidr,
                  "gatewayAddress", first, "region",
                  json_sprintf(EMU_COMPUTE_BASE "/projects/%s/regions/%s", cloud->project, region),
                  "privateIpGoogleAccess", 0, "privateIpv6GoogleAccess", "DISABLE_GOOGLE_ACCESS",
                  "purpose", "PRIVATE", "stackType", "IPV4_ONLY");
    if (body)
        json_object_set_new(body, "fingerprint", emu_fingerprint(body));
    return body;
}

int emu_networks_seed(struct emu_cloud *cloud, struct vmcp_error *err)
{
    char region[EMU_ZONE_MAX + 1], scope[EMU_ZONE_MAX + 16], last[EMU_ZONE_MAX + 1] = "";
    json_t *links = json_array();
    const char *zone = NULL;
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && (zone = emu_zone_at(i)); i++) {
        char link[LINK_MAX];
        emu_zone_region(zone, region);
        if (strcmp(region, last) == 0) /* zones of a region stand together */
            continue;
        snprintf(scope, sizeof(scope), "regions/%s", region);
        snprintf(last, sizeof(last), "%s", region);
        rc = seed(cloud, "subnetworks", scope, default_subnetwork(cloud, region), err);
        json_array_append_new(links,
                              json_string(link_of(cloud, scope, "subnetworks", "default", link)));
    }
    if (rc == 0)
        rc = seed(cloud, "networks", "global",
                  json_pack("{s:s, s:b, s:o, s:{s:s}, s:i}", "description",
                            "Default network for the project", "autoCreateSubnetworks", 1,
                            "subnetworks", json_incref(links), "routingConfig", "routingMode",
                            "REGIONAL", "mtu", 1460),
                  err);
    json_decref(links);
    return emu_store_end(cloud->store, rc, err);
}

/* One of the two: its row, or 404. */
static int find(struct emu_cloud *cloud, const char *text, const char *collection,
                const char *scope, struct emu_resource *ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    struct emu_ref ref;
    const char *field = strcmp(collection, "networks") == 0
                            ? "resource.networkInterfaces[0].network"
                            : "resource.networkInterfaces[0].subnetwork";
    if (!emu_ref_parse_as(text, collection, &ref))
        return emu_refuse_field(why, field, text, "The URL is malformed.");
    const char *project = ref.project[0] ? ref.project : cloud->project;
    const char *place = ref.scope[0] ? ref.scope : scope;
    if (emu_cloud_is_project(cloud, project) &&
        emu_resource_find(cloud->store, collection, place, ref.name, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!ret->id)
        return emu_refuse(why, 404, "notFound", "The resource 'projects/%s/%s/%s/%s' was not found",
                          project, place, collection, ref.name);
    if (strcmp(place, scope) != 0)
        return emu_refuse_field(why, field, text, "It must be in the instance's region, %s.",
                                scope);
    return 0;
}

int emu_networks_resolve(struct emu_cloud *cloud, const char *region, const char *network,
                         const char *subnetwork, char *ret_network, char *ret_subnetwork,
                         struct emu_refusal *why)
{
    auto_resource struct emu_resource net = {0}, sub = {0};
    char scope[EMU_ZONE_MAX + 16];
    snprintf(scope, sizeof(scope), "regions/%s", region);
    bool named = network && *network, sub_named = subnetwork && *subnetwork;
    int rc = named || !sub_named
                 ? find(cloud, named ? network : "default", "networks", "global", &net, why)
                 : 0;
    if (rc == 0 && !sub_named && !emu_true_at(net.body, "autoCreateSubnetworks"))
        return emu_refuse(why, 400, "invalid",
                          "Invalid value for field 'resource.networkInterfaces[0]': ''. Subnetwork "
                          "should be specified for custom subnetmode network");
    if (rc == 0)
        rc = find(cloud, sub_named ? subnetwork : net.name, "subnetworks", scope, &sub, why);
    if (rc < 0)
        return rc;
    const char *of = emu_text_at(sub.body, "network");
    if (net.id && strcmp(of, emu_resource_link(&net)) != 0)
        return emu_refuse_field(why, "resource.networkInterfaces[0].subnetwork", subnetwork,
                                "It is no subnetwork of the network '%s'.",
                                emu_resource_path(&net));
    snprintf(ret_network, LINK_MAX, "%s", of);
    snprintf(ret_subnetwork, LINK_MAX, "%s", emu_resource_link(&sub));
    return 0;
}
