/* SPDX-License-Identifier: Apache-2.0 */
#include "collections.h"

#include <string.h>

static const struct emu_collection collections[] = {
    {"instances", "instance", NULL, NULL, NULL, NULL},
    {"operations", "operation", NULL, NULL, NULL, NULL},
    {"machineTypes", "machineType", NULL, NULL, NULL, NULL},
    {"diskTypes", "diskType", NULL, NULL, NULL, NULL},
    {"acceleratorTypes", "acceleratorType", NULL, NULL, NULL, NULL},
    /* There are none of these, so their lists are empty; clients look at them in passing. */
    {"addresses", "address", NULL, NULL, NULL, NULL},
    {"autoscalers", "autoscaler", NULL, NULL, NULL, NULL},
    {"resourcePolicies", "resourcePolicy", NULL, NULL, NULL, NULL},
    {"disks", "disk", emu_disk_fields, emu_disk_make, emu_disk_check_delete, NULL},
    {"images", "image", emu_image_fields, emu_image_make, NULL, NULL},
    {"networks", "network", emu_network_fields, emu_network_make, emu_network_check_delete, NULL},
    {"subnetworks", "subnetwork", emu_subnetwork_fields, emu_subnetwork_make,
     emu_subnetwork_check_delete, NULL},
    {"instanceTemplates", "instanceTemplate", emu_template_fields, emu_template_make,
     emu_template_check_delete, NULL},
    {"instanceGroups", "instanceGroup", NULL, NULL, NULL, emu_instance_group_show},
    {"instanceGroupManagers", "instanceGroupManager", emu_group_manager_fields, emu_group_make,
     emu_group_check_delete, emu_group_show},
    {"securityPolicies", "securityPolicy", emu_policy_fields, emu_policy_make, NULL, NULL},
};

const struct emu_collection *emu_collection_find(const char *name)
{
    for (size_t i = 0; i < sizeof(collections) / sizeof(collections[0]); i++)
        if (strcmp(collections[i].name, name) == 0)
            return &collections[i];
    return NULL;
}
