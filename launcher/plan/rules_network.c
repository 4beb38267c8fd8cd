/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of network interfaces. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/resource.h"
#include "rules_parts.h"
#include "rules_text.h"

enum { INTERFACES_MAX = 16 /* the largest machine types; most take 8 */, QUEUES_MAX = 16 };

static int refuse(size_t i, const char *member, const char *what, struct vmcp_error *err)
{
    char where[80];
    snprintf(where, sizeof(where), "networkInterfaces[%zu]%s%s", i, *member ? "." : "", member);
    return vmcp_fail_at(err, VMCP_E_PLAN, where, "%s", what);
}

static bool is_ipv4(const char *s)
{
    struct in_addr four;
    return inet_pton(AF_INET, s, &four) == 1;
}

static bool is_ipv6(const char *s)
{
    struct in6_addr six;
    return inet_pton(AF_INET6, s, &six) == 1;
}

/* "10.0.0.0/24", "10.0.0.1" or "/24": the last takes any free range of that length. */
static bool is_range(const char *s)
{
    char address[INET_ADDRSTRLEN];
    size_t len = strcspn(s, "/"), digits = s[len] ? strspn(s + len + 1, "0123456789") : 0;
    if (len >= sizeof(address) ||
        (s[len] && (digits < 1 || digits > 2 || s[len + 1 + digits] || atoi(s + len + 1) > 32)))
        return false;
    memcpy(address, s, len);
    address[len] = '\0';
    return len ? is_ipv4(address) : s[len];
}

static int check_addresses(const json_t *nic, size_t i, struct vmcp_error *err)
{
    const char *ip = launch_rules_text(nic, "networkIP"),
               *six = launch_rules_text(nic, "ipv6Address");
    const json_t *aliases = json_object_get(nic, "aliasIpRanges");
    if (*ip && !is_ipv4(ip))
        return refuse(i, "networkIP", "an IPv4 address is wanted", err);
    if (*six && !is_ipv6(six))
        return refuse(i, "ipv6Address", "an IPv6 address is wanted", err);
    for (size_t k = 0; k < json_array_size(aliases); k++)
        if (!is_range(launch_rules_text(json_array_get(aliases, k), "ipCidrRange")))
            return refuse(i, "aliasIpRanges", "each has an ipCidrRange, like 10.0.0.0/24 or /24",
                          err);
    return 0;
}

static int check_access(const json_t *nic, size_t i, struct vmcp_error *err)
{
    const json_t *four = json_object_get(nic, "accessConfigs");
    const json_t *six = json_object_get(nic, "ipv6AccessConfigs");
    const char *nat = launch_rules_text(json_array_get(four, 0), "natIP");
    const char *type = launch_rules_text(json_array_get(four, 0), "type");
    const char *type6 = launch_rules_text(json_array_get(six, 0), "type");
    if (json_array_size(four) > 1)
        return refuse(i, "accessConfigs", "an interface has at most one", err);
    if (json_array_size(six) > 1)
        return refuse(i, "ipv6AccessConfigs", "an interface has at most one", err);
    if (*type && strcmp(type, "ONE_TO_ONE_NAT") != 0)
        return refuse(i, "accessConfigs[0].type", "ONE_TO_ONE_NAT is wanted", err);
    if (*type6 && strcmp(type6, "DIRECT_IPV6") != 0)
        return refuse(i, "ipv6AccessConfigs[0].type", "DIRECT_IPV6 is wanted", err);
    if (*nat && !is_ipv4(nat))
        return refuse(i, "accessConfigs[0].natIP", "an IPv4 address is wanted", err);
    return 0;
}

/* Each interface is in a network of its own. */
static int check_network(const json_t *interfaces, size_t i, struct vmcp_error *err)
{
    const json_t *nic = json_array_get(interfaces, i);
    const char *network = launch_rules_text(nic, "network");
    bool placed = *network || *launch_rules_text(nic, "subnetwork") ||
                  *launch_rules_text(nic, "networkAttachment");
    if (!placed && i > 0)
        return refuse(i, "", "a network or subnetwork is wanted", err);
    for (size_t k = 0; *network && k < i; k++) {
        const char *other = launch_rules_text(json_array_get(interfaces, k), "network");
        if (strcmp(launch_last_part(network), launch_last_part(other)) == 0 &&
            !*launch_rules_text(nic, "parentNicName"))
            return refuse(i, "network", "another interface is in that network already", err);
    }
    return 0;
}

int launch_rules_network(const json_t *interfaces, struct vmcp_error *err)
{
    int rc = 0;
    if (json_array_size(interfaces) > INTERFACES_MAX)
        return vmcp_fail_at(err, VMCP_E_PLAN, "networkInterfaces", "more than %d of them",
                            INTERFACES_MAX);
    for (size_t i = 0; rc == 0 && i < json_array_size(interfaces); i++) {
        const json_t *nic = json_array_get(interfaces, i);
        const json_t *queues = json_object_get(nic, "queueCount");
        rc = check_network(interfaces, i, err);
        if (rc == 0)
            rc = check_addresses(nic, i, err);
        if (rc == 0)
            rc = check_access(nic, i, err);
        if (rc == 0 && queues &&
            (json_integer_value(queues) < 1 || json_integer_value(queues) > QUEUES_MAX))
            rc = refuse(i, "queueCount", "1 to 16 is wanted", err);
    }
    return rc;
}
