/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of an Instance that a caller may set, after the discovery document of the Compute
 * Engine API v1, revision 20230620, and the fields added to it since that are named here: the last
 * ones of each type, such as maxRunDuration. Fields that only the API writes are not listed, nor
 * `workloadIdentityConfig`: an identity is given as a service account, which has a bound. */
#include "schema.h"

static const struct launch_field instance_fields[] = {
    {"advancedMachineFeatures", "@AdvancedMachineFeatures"},
    {"canIpForward", "b"},
    {"confidentialInstanceConfig", "@ConfidentialInstanceConfig"},
    {"deletionProtection", "b"},
    {"description", "s"},
    {"disks", "[]@AttachedDisk"},
    {"displayDevice", "@DisplayDevice"},
    {"guestAccelerators", "[]@AcceleratorConfig"},
    {"hostname", "s"},
    {"instanceEncryptionKey", "@CustomerEncryptionKey"},
    {"keyRevocationActionType", "KEY_REVOCATION_ACTION_TYPE_UNSPECIFIED|NONE|STOP"},
    {"labels", "m"},
    {"machineType", "s"},
    {"metadata", "@Metadata"},
    {"minCpuPlatform", "s"},
    {"name", "s"},
    {"networkInterfaces", "[]@NetworkInterface"},
    {"networkPerformanceConfig", "@NetworkPerformanceConfig"},
    {"params", "@InstanceParams"},
    {"privateIpv6GoogleAccess", "ENABLE_BIDIRECTIONAL_ACCESS_TO_GOOGLE|ENABLE_OUTBOUND_VM_ACCESS_"
                                "TO_GOOGLE|INHERIT_FROM_SUBNETWORK"},
    {"reservationAffinity", "@ReservationAffinity"},
    {"resourcePolicies", "[]s"},
    {"scheduling", "@Scheduling"},
    {"serviceAccounts", "[]@ServiceAccount"},
    {"shieldedInstanceConfig", "@ShieldedInstanceConfig"},
    {"sourceMachineImage", "s"},
    {"sourceMachineImageEncryptionKey", "@CustomerEncryptionKey"},
    {"tags", "@Tags"},
    {"localSsdEncryptionMode", "s"},
    {0},
};

static const struct launch_field advanced_machine_features_fields[] = {
    {"enableNestedVirtualization", "b"},
    {"enableUefiNetworking", "b"},
    {"threadsPerCore", "i"},
    {"visibleCoreCount", "i"},
    {"turboMode", "s"},
    {"performanceMonitoringUnit", "s"},
    {0},
};

static const struct launch_field confidential_instance_config_fields[] = {
    {"enableConfidentialCompute", "b"},
    {"confidentialInstanceType", "SEV|SEV_SNP|TDX"},
    {0},
};

static const struct launch_field attached_disk_fields[] = {
    {"autoDelete", "b"},
    {"boot", "b"},
    {"deviceName", "s"},
    {"diskEncryptionKey", "@CustomerEncryptionKey"},
    {"diskSizeGb", "n"},
    {"guestOsFeatures", "[]@GuestOsFeature"},
    {"initializeParams", "@AttachedDiskInitializeParams"},
    {"interface", "NVME|SCSI"},
    {"mode", "READ_ONLY|READ_WRITE"},
    {"source", "s"},
    {"type", "PERSISTENT|SCRATCH"},
    {0},
};

static const struct launch_field display_device_fields[] = {
    {"enableDisplay", "b"},
    {0},
};

static const struct launch_field accelerator_config_fields[] = {
    {"acceleratorCount", "i"},
    {"acceleratorType", "s"},
    {0},
};

static const struct launch_field customer_encryption_key_fields[] = {
    {"kmsKeyName", "s"},
    {"kmsKeyServiceAccount", "s"},
    {"rawKey", "s"},
    {"rsaEncryptedKey", "s"},
    {0},
};

static const struct launch_field metadata_fields[] = {
    {"items", "[]@MetadataItem"},
    {0},
};

static const struct launch_field network_interface_fields[] = {
    {"accessConfigs", "[]@AccessConfig"},
    {"aliasIpRanges", "[]@AliasIpRange"},
    {"internalIpv6PrefixLength", "i"},
    {"ipv6AccessConfigs", "[]@AccessConfig"},
    {"ipv6Address", "s"},
    {"network", "s"},
    {"networkAttachment", "s"},
    {"networkIP", "s"},
    {"nicType", "GVNIC|UNSPECIFIED_NIC_TYPE|VIRTIO_NET"},
    {"queueCount", "i"},
    {"stackType", "IPV4_IPV6|IPV4_ONLY"},
    {"subnetwork", "s"},
    {"vlan", "i"},
    {"parentNicName", "s"},
    {"igmpQuery", "s"},
    {0},
};

static const struct launch_field network_performance_config_fields[] = {
    {"totalEgressBandwidthTier", "DEFAULT|TIER_1"},
    {0},
};

static const struct launch_field instance_params_fields[] = {
    {"resourceManagerTags", "m"},
    {0},
};

static const struct launch_field reservation_affinity_fields[] = {
    {"consumeReservationType", "ANY_RESERVATION|NO_RESERVATION|SPECIFIC_RESERVATION|UNSPECIFIED"},
    {"key", "s"},
    {"values", "[]s"},
    {0},
};

static const struct launch_field scheduling_fields[] = {
    {"automaticRestart", "b"},
    {"instanceTerminationAction", "DELETE|INSTANCE_TERMINATION_ACTION_UNSPECIFIED|STOP"},
    {"locationHint", "s"},
    {"minNodeCpus", "i"},
    {"nodeAffinities", "[]@SchedulingNodeAffinity"},
    {"onHostMaintenance", "MIGRATE|TERMINATE"},
    {"preemptible", "b"},
    {"provisioningModel", "SPOT|STANDARD|FLEX_START|RESERVATION_BOUND"},
    {"maxRunDuration", "@Duration"},
    {"terminationTime", "s"},
    {"onInstanceStopAction", "@OnInstanceStopAction"},
    {"localSsdRecoveryTimeout", "@Duration"},
    {"hostErrorTimeoutSeconds", "i"},
    {"availabilityDomain", "i"},
    {"gracefulShutdown", "@GracefulShutdown"},
    {0},
};

static const struct launch_field service_account_fields[] = {
    {"email", "s"},
    {"scopes", "[]s"},
    {0},
};

static const struct launch_field shielded_instance_config_fields[] = {
    {"enableIntegrityMonitoring", "b"},
    {"enableSecureBoot", "b"},
    {"enableVtpm", "b"},
    {0},
};

static const struct launch_field tags_fields[] = {
    {"items", "[]s"},
    {0},
};

static const struct launch_field guest_os_feature_fields[] = {
    {"type", "s"},
    {0},
};

static const struct launch_field attached_disk_initialize_params_fields[] = {
    {"architecture", "ARCHITECTURE_UNSPECIFIED|ARM64|X86_64"},
    {"description", "s"},
    {"diskName", "s"},
    {"diskSizeGb", "n"},
    {"diskType", "s"},
    {"labels", "m"},
    {"licenses", "[]s"},
    {"onUpdateAction", "RECREATE_DISK|RECREATE_DISK_IF_SOURCE_CHANGED|USE_EXISTING_DISK"},
    {"provisionedIops", "n"},
    {"provisionedThroughput", "n"},
    {"replicaZones", "[]s"},
    {"resourceManagerTags", "m"},
    {"resourcePolicies", "[]s"},
    {"sourceImage", "s"},
    {"sourceImageEncryptionKey", "@CustomerEncryptionKey"},
    {"sourceSnapshot", "s"},
    {"sourceSnapshotEncryptionKey", "@CustomerEncryptionKey"},
    {"storagePool", "s"},
    {"enableConfidentialCompute", "b"},
    {0},
};

static const struct launch_field metadata_item_fields[] = {
    {"key", "s"},
    {"value", "s"},
    {0},
};

static const struct launch_field access_config_fields[] = {
    {"externalIpv6", "s"},
    {"externalIpv6PrefixLength", "i"},
    {"name", "s"},
    {"natIP", "s"},
    {"networkTier", "FIXED_STANDARD|PREMIUM|STANDARD|STANDARD_OVERRIDES_FIXED_STANDARD"},
    {"publicPtrDomainName", "s"},
    {"setPublicPtr", "b"},
    {"type", "DIRECT_IPV6|ONE_TO_ONE_NAT"},
    {0},
};

static const struct launch_field alias_ip_range_fields[] = {
    {"ipCidrRange", "s"},
    {"subnetworkRangeName", "s"},
    {0},
};

static const struct launch_field scheduling_node_affinity_fields[] = {
    {"key", "s"},
    {"operator", "IN|NOT_IN|OPERATOR_UNSPECIFIED"},
    {"values", "[]s"},
    {0},
};

static const struct launch_field duration_fields[] = {
    {"seconds", "n"},
    {"nanos", "i"},
    {0},
};

static const struct launch_field on_instance_stop_action_fields[] = {
    {"discardLocalSsd", "b"},
    {0},
};

static const struct launch_field graceful_shutdown_fields[] = {
    {"enabled", "b"},
    {"maxDuration", "@Duration"},
    {0},
};

const struct launch_type launch_types[] = {
    {"Instance", instance_fields},
    {"AdvancedMachineFeatures", advanced_machine_features_fields},
    {"ConfidentialInstanceConfig", confidential_instance_config_fields},
    {"AttachedDisk", attached_disk_fields},
    {"DisplayDevice", display_device_fields},
    {"AcceleratorConfig", accelerator_config_fields},
    {"CustomerEncryptionKey", customer_encryption_key_fields},
    {"Metadata", metadata_fields},
    {"NetworkInterface", network_interface_fields},
    {"NetworkPerformanceConfig", network_performance_config_fields},
    {"InstanceParams", instance_params_fields},
    {"ReservationAffinity", reservation_affinity_fields},
    {"Scheduling", scheduling_fields},
    {"ServiceAccount", service_account_fields},
    {"ShieldedInstanceConfig", shielded_instance_config_fields},
    {"Tags", tags_fields},
    {"GuestOsFeature", guest_os_feature_fields},
    {"AttachedDiskInitializeParams", attached_disk_initialize_params_fields},
    {"MetadataItem", metadata_item_fields},
    {"AccessConfig", access_config_fields},
    {"AliasIpRange", alias_ip_range_fields},
    {"SchedulingNodeAffinity", scheduling_node_affinity_fields},
    {"Duration", duration_fields},
    {"OnInstanceStopAction", on_instance_stop_action_fields},
    {"GracefulShutdown", graceful_shutdown_fields},
    {0},
};
