/* SPDX-License-Identifier: Apache-2.0 */
/* The members of InstanceGroupManager that a client may send: Google's discovery document of the
 * Compute API v1 and what was added to it since. Output-only members may be sent back; they are
 * ignored. */
#include <stddef.h>

#include "schema.h"

static const struct emu_field healing_fields[] = {
    {"healthCheck", 's', NULL},
    {"initialDelaySec", 'i', NULL},
    {0},
};

static const struct emu_field actions_fields[] = {
    {"abandoning", 'i', NULL},
    {"creating", 'i', NULL},
    {"creatingWithoutRetries", 'i', NULL},
    {"deleting", 'i', NULL},
    {"none", 'i', NULL},
    {"recreating", 'i', NULL},
    {"refreshing", 'i', NULL},
    {"restarting", 'i', NULL},
    {"resuming", 'i', NULL},
    {"starting", 'i', NULL},
    {"stopping", 'i', NULL},
    {"suspending", 'i', NULL},
    {"verifying", 'i', NULL},
    {0},
};

static const struct emu_field distribution_policy_zone_configuration_fields[] = {
    {"zone", 's', NULL},
    {0},
};

static const struct emu_field distribution_policy_fields[] = {
    {"targetShape", 's', NULL},
    {"zones", 'a', distribution_policy_zone_configuration_fields},
    {0},
};

static const struct emu_field named_port_fields[] = {
    {"name", 's', NULL},
    {"port", 'i', NULL},
    {0},
};

static const struct emu_field preserved_fields[] = {
    {"disks", 'o', NULL},
    {0},
};

static const struct emu_field stateful_policy_fields[] = {
    {"preservedState", 'o', preserved_fields},
    {0},
};

static const struct emu_field stateful_configs_fields[] = {
    {"allEffective", 'b', NULL},
    {0},
};

static const struct emu_field status_stateful_fields[] = {
    {"hasStatefulConfig", 'b', NULL},
    {"perInstanceConfigs", 'o', stateful_configs_fields},
    {0},
};

static const struct emu_field version_target_fields[] = {
    {"isReached", 'b', NULL},
    {0},
};

static const struct emu_field status_fields[] = {
    {"allInstancesConfig", 'o', NULL},
    {"appliedAcceleratorTopologies", 'a', NULL},
    {"autoscaler", 's', NULL},
    {"bulkInstanceOperation", 'o', NULL},
    {"isStable", 'b', NULL},
    {"stateful", 'o', status_stateful_fields},
    {"versionTarget", 'o', version_target_fields},
    {0},
};

static const struct emu_field fixed_or_percent_fields[] = {
    {"calculated", 'i', NULL},
    {"fixed", 'i', NULL},
    {"percent", 'i', NULL},
    {0},
};

static const struct emu_field update_fields[] = {
    {"instanceRedistributionType", 's', NULL},
    {"maxSurge", 'o', fixed_or_percent_fields},
    {"maxUnavailable", 'o', fixed_or_percent_fields},
    {"minReadySec", 'i', NULL},
    {"minimalAction", 's', NULL},
    {"mostDisruptiveAllowedAction", 's', NULL},
    {"replacementMethod", 's', NULL},
    {"type", 's', NULL},
    {0},
};

static const struct emu_field version_fields[] = {
    {"instanceTemplate", 's', NULL},
    {"name", 's', NULL},
    {"targetSize", 'o', fixed_or_percent_fields},
    {0},
};

const struct emu_field emu_group_manager_fields[] = {
    {"allInstancesConfig", 'o', NULL},
    {"autoHealingPolicies", 'a', healing_fields},
    {"baseInstanceName", 's', NULL},
    {"creationTimestamp", 's', NULL},
    {"currentActions", 'o', actions_fields},
    {"description", 's', NULL},
    {"distributionPolicy", 'o', distribution_policy_fields},
    {"fingerprint", 's', NULL},
    {"id", 'l', NULL},
    {"instanceFlexibilityPolicy", 'o', NULL},
    {"instanceGroup", 's', NULL},
    {"instanceLifecyclePolicy", 'o', NULL},
    {"instanceTemplate", 's', NULL},
    {"kind", 's', NULL},
    {"listManagedInstancesResults", 's', NULL},
    {"name", 's', NULL},
    {"namedPorts", 'a', named_port_fields},
    {"region", 's', NULL},
    {"resourcePolicies", 'o', NULL},
    {"satisfiesPzi", 'b', NULL},
    {"satisfiesPzs", 'b', NULL},
    {"selfLink", 's', NULL},
    {"standbyPolicy", 'o', NULL},
    {"statefulPolicy", 'o', stateful_policy_fields},
    {"status", 'o', status_fields},
    {"targetPools", 't', NULL},
    {"targetSize", 'i', NULL},
    {"targetSizePolicy", 'o', NULL},
    {"targetStoppedSize", 'i', NULL},
    {"targetSuspendedSize", 'i', NULL},
    {"updatePolicy", 'o', update_fields},
    {"versions", 'a', version_fields},
    {"zone", 's', NULL},
    {0},
};
