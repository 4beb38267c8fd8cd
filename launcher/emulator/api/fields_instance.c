/* SPDX-License-Identifier: Apache-2.0 */
/* The members of an Instance that a client may send: Google's discovery document of the Compute API
 * v1 and what was added to it since. Output-only members may be sent back; they are ignored. */
#include <stddef.h>

#include "schema.h"

static const struct emu_field key_fields[] = {
    {"kmsKeyName", 's', NULL}, {"kmsKeyServiceAccount", 's', NULL},
    {"rawKey", 's', NULL},     {"rsaEncryptedKey", 's', NULL},
    {"sha256", 's', NULL},     {0},
};

static const struct emu_field feature_fields[] = {{"type", 's', NULL}, {0}};

static const struct emu_field initialize_fields[] = {
    {"architecture", 's', NULL},
    {"description", 's', NULL},
    {"diskName", 's', NULL},
    {"diskSizeGb", 'l', NULL},
    {"diskType", 's', NULL},
    {"enableConfidentialCompute", 'b', NULL},
    {"labels", 'm', NULL},
    {"licenses", 't', NULL},
    {"onUpdateAction", 's', NULL},
    {"provisionedIops", 'l', NULL},
    {"provisionedThroughput", 'l', NULL},
    {"replicaZones", 't', NULL},
    {"resourceManagerTags", 'm', NULL},
    {"resourcePolicies", 't', NULL},
    {"sourceImage", 's', NULL},
    {"sourceImageEncryptionKey", 'o', key_fields},
    {"sourceSnapshot", 's', NULL},
    {"sourceSnapshotEncryptionKey", 'o', key_fields},
    {"storagePool", 's', NULL},
    {0},
};

const struct emu_field emu_attached_disk_fields[] = {
    {"architecture", 's', NULL},
    {"autoDelete", 'b', NULL},
    {"boot", 'b', NULL},
    {"deviceName", 's', NULL},
    {"diskEncryptionKey", 'o', key_fields},
    {"diskSizeGb", 'l', NULL},
    {"forceAttach", 'b', NULL},
    {"guestOsFeatures", 'a', feature_fields},
    {"index", 'i', NULL},
    {"initializeParams", 'o', initialize_fields},
    {"interface", 's', NULL},
    {"kind", 's', NULL},
    {"licenses", 't', NULL},
    {"mode", 's', NULL},
    {"savedState", 's', NULL},
    {"shieldedInstanceInitialState", 'o', NULL},
    {"source", 's', NULL},
    {"type", 's', NULL},
    {0},
};

static const struct emu_field access_fields[] = {
    {"externalIpv6", 's', NULL},
    {"externalIpv6PrefixLength", 'i', NULL},
    {"kind", 's', NULL},
    {"name", 's', NULL},
    {"natIP", 's', NULL},
    {"networkTier", 's', NULL},
    {"publicPtrDomainName", 's', NULL},
    {"setPublicPtr", 'b', NULL},
    {"type", 's', NULL},
    {0},
};

static const struct emu_field alias_fields[] = {
    {"ipCidrRange", 's', NULL},
    {"subnetworkRangeName", 's', NULL},
    {0},
};

static const struct emu_field nic_fields[] = {
    {"accessConfigs", 'a', access_fields},
    {"aliasIpRanges", 'a', alias_fields},
    {"fingerprint", 's', NULL},
    {"igmpQuery", 's', NULL},
    {"internalIpv6PrefixLength", 'i', NULL},
    {"ipv6AccessConfigs", 'a', access_fields},
    {"ipv6AccessType", 's', NULL},
    {"ipv6Address", 's', NULL},
    {"kind", 's', NULL},
    {"name", 's', NULL},
    {"network", 's', NULL},
    {"networkAttachment", 's', NULL},
    {"networkIP", 's', NULL},
    {"nicType", 's', NULL},
    {"parentNicName", 's', NULL},
    {"queueCount", 'i', NULL},
    {"stackType", 's', NULL},
    {"subnetwork", 's', NULL},
    {"vlan", 'i', NULL},
    {0},
};

static const struct emu_field item_fields[] = {{"key", 's', NULL}, {"value", 's', NULL}, {0}};

const struct emu_field emu_metadata_fields[] = {
    {"fingerprint", 's', NULL},
    {"items", 'a', item_fields},
    {"kind", 's', NULL},
    {0},
};

const struct emu_field emu_tags_fields[] = {
    {"fingerprint", 's', NULL},
    {"items", 't', NULL},
    {0},
};

const struct emu_field emu_labels_fields[] = {
    {"labelFingerprint", 's', NULL},
    {"labels", 'm', NULL},
    {0},
};

const struct emu_field emu_account_fields[] = {{"email", 's', NULL}, {"scopes", 't', NULL}, {0}};

static const struct emu_field affinity_fields[] = {
    {"key", 's', NULL},
    {"operator", 's', NULL},
    {"values", 't', NULL},
    {0},
};

static const struct emu_field duration_fields[] = {
    {"nanos", 'i', NULL}, {"seconds", 'l', NULL}, {0}};

const struct emu_field emu_scheduling_fields[] = {
    {"automaticRestart", 'b', NULL},
    {"availabilityDomain", 'i', NULL},
    {"gracefulShutdown", 'o', NULL},
    {"hostErrorTimeoutSeconds", 'i', NULL},
    {"instanceTerminationAction", 's', NULL},
    {"localSsdRecoveryTimeout", 'o', duration_fields},
    {"locationHint", 's', NULL},
    {"maxRunDuration", 'o', duration_fields},
    {"minNodeCpus", 'i', NULL},
    {"nodeAffinities", 'a', affinity_fields},
    {"onHostMaintenance", 's', NULL},
    {"onInstanceStopAction", 'o', NULL},
    {"preemptible", 'b', NULL},
    {"provisioningModel", 's', NULL},
    {"terminationTime", 's', NULL},
    {0},
};

static const struct emu_field shielded_fields[] = {
    {"enableIntegrityMonitoring", 'b', NULL},
    {"enableSecureBoot", 'b', NULL},
    {"enableVtpm", 'b', NULL},
    {0},
};

static const struct emu_field integrity_fields[] = {{"updateAutoLearnPolicy", 'b', NULL}, {0}};

static const struct emu_field confidential_fields[] = {
    {"confidentialInstanceType", 's', NULL},
    {"enableConfidentialCompute", 'b', NULL},
    {0},
};

static const struct emu_field feature_set_fields[] = {
    {"enableNestedVirtualization", 'b', NULL},
    {"enableUefiNetworking", 'b', NULL},
    {"performanceMonitoringUnit", 's', NULL},
    {"threadsPerCore", 'i', NULL},
    {"turboMode", 's', NULL},
    {"visibleCoreCount", 'i', NULL},
    {0},
};

static const struct emu_field accelerator_fields[] = {
    {"acceleratorCount", 'i', NULL},
    {"acceleratorType", 's', NULL},
    {0},
};

static const struct emu_field reservation_fields[] = {
    {"consumeReservationType", 's', NULL},
    {"key", 's', NULL},
    {"values", 't', NULL},
    {0},
};

static const struct emu_field display_fields[] = {{"enableDisplay", 'b', NULL}, {0}};
static const struct emu_field egress_fields[] = {{"totalEgressBandwidthTier", 's', NULL}, {0}};
static const struct emu_field params_fields[] = {{"resourceManagerTags", 'm', NULL}, {0}};

const struct emu_field emu_instance_fields[] = {
    {"advancedMachineFeatures", 'o', feature_set_fields},
    {"canIpForward", 'b', NULL},
    {"confidentialInstanceConfig", 'o', confidential_fields},
    {"cpuPlatform", 's', NULL},
    {"creationTimestamp", 's', NULL},
    {"deletionProtection", 'b', NULL},
    {"description", 's', NULL},
    {"disks", 'a', emu_attached_disk_fields},
    {"displayDevice", 'o', display_fields},
    {"fingerprint", 's', NULL},
    {"guestAccelerators", 'a', accelerator_fields},
    {"hostname", 's', NULL},
    {"id", 'l', NULL},
    {"instanceEncryptionKey", 'o', key_fields},
    {"keyRevocationActionType", 's', NULL},
    {"kind", 's', NULL},
    {"labelFingerprint", 's', NULL},
    {"labels", 'm', NULL},
    {"lastStartTimestamp", 's', NULL},
    {"lastStopTimestamp", 's', NULL},
    {"lastSuspendedTimestamp", 's', NULL},
    {"localSsdEncryptionMode", 's', NULL},
    {"machineType", 's', NULL},
    {"metadata", 'o', emu_metadata_fields},
    {"minCpuPlatform", 's', NULL},
    {"name", 's', NULL},
    {"networkInterfaces", 'a', nic_fields},
    {"networkPerformanceConfig", 'o', egress_fields},
    {"params", 'o', params_fields},
    {"privateIpv6GoogleAccess", 's', NULL},
    {"reservationAffinity", 'o', reservation_fields},
    {"resourcePolicies", 't', NULL},
    {"resourceStatus", 'o', NULL},
    {"satisfiesPzi", 'b', NULL},
    {"satisfiesPzs", 'b', NULL},
    {"scheduling", 'o', emu_scheduling_fields},
    {"selfLink", 's', NULL},
    {"serviceAccounts", 'a', emu_account_fields},
    {"shieldedInstanceConfig", 'o', shielded_fields},
    {"shieldedInstanceIntegrityPolicy", 'o', integrity_fields},
    {"sourceMachineImage", 's', NULL},
    {"sourceMachineImageEncryptionKey", 'o', key_fields},
    {"startRestricted", 'b', NULL},
    {"status", 's', NULL},
    {"statusMessage", 's', NULL},
    {"tags", 'o', emu_tags_fields},
    {"workloadIdentityConfig", 'o', NULL},
    {"zone", 's', NULL},
    {0},
};

/* What instances of a template have in common. Machine, disk and accelerator types are short names.
 */
static const struct emu_field property_fields[] = {
    {"advancedMachineFeatures", 'o', feature_set_fields},
    {"canIpForward", 'b', NULL},
    {"confidentialInstanceConfig", 'o', confidential_fields},
    {"description", 's', NULL},
    {"disks", 'a', emu_attached_disk_fields},
    {"guestAccelerators", 'a', accelerator_fields},
    {"keyRevocationActionType", 's', NULL},
    {"labels", 'm', NULL},
    {"machineType", 's', NULL},
    {"metadata", 'o', emu_metadata_fields},
    {"minCpuPlatform", 's', NULL},
    {"networkInterfaces", 'a', nic_fields},
    {"networkPerformanceConfig", 'o', egress_fields},
    {"privateIpv6GoogleAccess", 's', NULL},
    {"reservationAffinity", 'o', reservation_fields},
    {"resourceManagerTags", 'm', NULL},
    {"resourcePolicies", 't', NULL},
    {"scheduling", 'o', emu_scheduling_fields},
    {"serviceAccounts", 'a', emu_account_fields},
    {"shieldedInstanceConfig", 'o', shielded_fields},
    {"tags", 'o', emu_tags_fields},
    {"workloadIdentityConfig", 'o', NULL},
    {0},
};

const struct emu_field emu_template_fields[] = {
    {"creationTimestamp", 's', NULL},
    {"description", 's', NULL},
    {"id", 'l', NULL},
    {"kind", 's', NULL},
    {"name", 's', NULL},
    {"properties", 'o', property_fields},
    {"region", 's', NULL},
    {"selfLink", 's', NULL},
    {"sourceInstance", 's', NULL},
    {"sourceInstanceParams", 'o', NULL},
    {0},
};

static const struct emu_field location_fields[] = {
    {"locations", 'o', NULL},
    {"targetShape", 's', NULL},
    {0},
};

const struct emu_field emu_bulk_fields[] = {
    {"count", 'l', NULL},
    {"instanceFlexibilityPolicy", 'o', NULL},
    {"instanceProperties", 'o', property_fields},
    {"locationPolicy", 'o', location_fields},
    {"minCount", 'l', NULL},
    {"namePattern", 's', NULL},
    {"perInstanceProperties", 'o', NULL},
    {"sourceInstanceTemplate", 's', NULL},
    {0},
};
