/* SPDX-License-Identifier: Apache-2.0 */
#include "roles.h"

#include <stddef.h>
#include <string.h>

#include "lib/options.h"

/* Rights end in '*' where they cover all that begins so. */
static const struct role {
    const char *name;
    const char *rights[14];
} roles[] = {
    {"roles/owner", {"*"}},
    {"roles/editor", {"*"}},
    {"roles/viewer", {"compute.*.get", "compute.*.list"}},
    {"roles/compute.admin", {"compute.*"}},
    {"roles/compute.instanceAdmin",
     {"compute.instances.*", "compute.disks.*", "compute.*.get", "compute.*.list"}},
    {"roles/compute.instanceAdmin.v1",
     {"compute.instances.*", "compute.disks.*", "compute.instanceGroups.*",
      "compute.instanceGroupManagers.*", "compute.instanceTemplates.*", "compute.images.*",
      "compute.zoneOperations.*", "compute.regionOperations.*", "compute.globalOperations.*",
      "compute.*.get", "compute.*.list"}},
    {"roles/compute.networkAdmin",
     {"compute.networks.*", "compute.subnetworks.*", "compute.addresses.*",
      "compute.globalOperations.*", "compute.regionOperations.*", "compute.*.get",
      "compute.*.list"}},
    {"roles/compute.securityAdmin",
     {"compute.securityPolicies.*", "compute.globalOperations.*", "compute.*.get",
      "compute.*.list"}},
    {"roles/compute.storageAdmin",
     {"compute.disks.*", "compute.images.*", "compute.zoneOperations.*",
      "compute.globalOperations.*", "compute.*.get", "compute.*.list"}},
    {"roles/compute.imageUser",
     {"compute.images.get", "compute.images.list", "compute.images.getFromFamily"}},
    {"roles/compute.viewer",
     {"compute.*.get", "compute.*.list", "compute.instances.getSerialPortOutput",
      "compute.images.getFromFamily"}},
    {"roles/iam.serviceAccountUser", {"iam.serviceAccounts.actAs"}},
    {"roles/iam.serviceAccountTokenCreator",
     {"iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken",
      "iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.signBlob",
      "iam.serviceAccounts.signJwt"}},
    {"roles/iam.serviceAccountOpenIdTokenCreator", {"iam.serviceAccounts.getOpenIdToken"}},
};

enum { ROLE_COUNT = sizeof(roles) / sizeof(roles[0]) };

static const struct role *find(const char *name)
{
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

bool emu_role_exists(const char *role)
{
    return find(role) != NULL;
}

/* One star, anywhere, stands for any characters. */
static bool matches(const char *pattern, const char *permission)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return strcmp(pattern, permission) == 0;
    size_t head = (size_t)(star - pattern), tail = strlen(star + 1), len = strlen(permission);
    return len >= head + tail && strncmp(pattern, permission, head) == 0 &&
           strcmp(permission + len - tail, star + 1) == 0;
}

bool emu_role_allows(const char *role, const char *permission)
{
    const struct role *r = find(role);
    for (size_t i = 0; r && i < sizeof(r->rights) / sizeof(r->rights[0]) && r->rights[i]; i++)
        if (matches(r->rights[i], permission))
            return true;
    return false;
}

const char *emu_role_suggest(const char *role)
{
    return vmcp_suggest(role, roles, ROLE_COUNT, sizeof(roles[0]));
}
