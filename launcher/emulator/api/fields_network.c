/* SPDX-License-Identifier: Apache-2.0 */
/* The members of Network and Subnetwork that a client may send: Google's discovery document of the
 * Compute API v1 and what was added to it since. Output-only members may be sent back; they are
 * ignored. */
#include <stddef.h>

#include "schema.h"

static const struct emu_field network_peering_fields[] = {
    {"autoCreateRoutes", 'b', NULL},
    {"exchangeSubnetRoutes", 'b', NULL},
    {"exportCustomRoutes", 'b', NULL},
    {"exportSubnetRoutesWithPublicIp", 'b', NULL},
    {"importCustomRoutes", 'b', NULL},
    {"importSubnetRoutesWithPublicIp", 'b', NULL},
    {"name", 's', NULL},
    {"network", 's', NULL},
    {"peerMtu", 'i', NULL},
    {"stackType", 's', NULL},
    {"state", 's', NULL},
    {"stateDetails", 's', NULL},
    {0},
};

static const struct emu_field network_routing_config_fields[] = {
    {"routingMode", 's', NULL},
    {0},
};

const struct emu_field emu_network_fields[] = {
    {"IPv4Range", 's', NULL},
    {"autoCreateSubnetworks", 'b', NULL},
    {"creationTimestamp", 's', NULL},
    {"description", 's', NULL},
    {"enableUlaInternalIpv6", 'b', NULL},
    {"firewallPolicy", 's', NULL},
    {"gatewayIPv4", 's', NULL},
    {"id", 'l', NULL},
    {"internalIpv6Range", 's', NULL},
    {"kind", 's', NULL},
    {"mtu", 'i', NULL},
    {"name", 's', NULL},
    {"networkFirewallPolicyEnforcementOrder", 's', NULL},
    {"networkProfile", 's', NULL},
    {"params", 'o', NULL},
    {"peerings", 'a', network_peering_fields},
    {"routingConfig", 'o', network_routing_config_fields},
    {"selfLink", 's', NULL},
    {"selfLinkWithId", 's', NULL},
    {"subnetworks", 't', NULL},
    {0},
};

static const struct emu_field subnetwork_log_config_fields[] = {
    {"aggregationInterval", 's', NULL},
    {"enable", 'b', NULL},
    {"filterExpr", 's', NULL},
    {"flowSampling", 'd', NULL},
    {"metadata", 's', NULL},
    {"metadataFields", 't', NULL},
    {0},
};

static const struct emu_field subnetwork_secondary_range_fields[] = {
    {"ipCidrRange", 's', NULL},
    {"rangeName", 's', NULL},
    {0},
};

const struct emu_field emu_subnetwork_fields[] = {
    {"creationTimestamp", 's', NULL},
    {"description", 's', NULL},
    {"enableFlowLogs", 'b', NULL},
    {"externalIpv6Prefix", 's', NULL},
    {"fingerprint", 's', NULL},
    {"gatewayAddress", 's', NULL},
    {"id", 'l', NULL},
    {"internalIpv6Prefix", 's', NULL},
    {"ipCidrRange", 's', NULL},
    {"ipv6AccessType", 's', NULL},
    {"ipv6CidrRange", 's', NULL},
    {"kind", 's', NULL},
    {"logConfig", 'o', subnetwork_log_config_fields},
    {"name", 's', NULL},
    {"network", 's', NULL},
    {"params", 'o', NULL},
    {"privateIpGoogleAccess", 'b', NULL},
    {"privateIpv6GoogleAccess", 's', NULL},
    {"purpose", 's', NULL},
    {"region", 's', NULL},
    {"reservedInternalRange", 's', NULL},
    {"role", 's', NULL},
    {"secondaryIpRanges", 'a', subnetwork_secondary_range_fields},
    {"selfLink", 's', NULL},
    {"stackType", 's', NULL},
    {"state", 's', NULL},
    {0},
};
