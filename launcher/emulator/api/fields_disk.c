/* SPDX-License-Identifier: Apache-2.0 */
/* The members of Disk and Image that a client may send: Google's discovery document of the Compute
 * API v1 and what was added to it since. Output-only members may be sent back; they are ignored. */
#include <stddef.h>

#include "schema.h"

static const struct emu_field disk_async_replication_fields[] = {
    {"consistencyGroupPolicy", 's', NULL},
    {"consistencyGroupPolicyId", 's', NULL},
    {"disk", 's', NULL},
    {"diskId", 's', NULL},
    {0},
};

static const struct emu_field customer_encryption_key_fields[] = {
    {"kmsKeyName", 's', NULL}, {"kmsKeyServiceAccount", 's', NULL},
    {"rawKey", 's', NULL},     {"rsaEncryptedKey", 's', NULL},
    {"sha256", 's', NULL},     {0},
};

static const struct emu_field guest_os_feature_fields[] = {
    {"type", 's', NULL},
    {0},
};

static const struct emu_field disk_params_fields[] = {
    {"resourceManagerTags", 'm', NULL},
    {0},
};

static const struct emu_field disk_resource_status_async_replication_status_fields[] = {
    {"state", 's', NULL},
    {0},
};

static const struct emu_field disk_resource_status_fields[] = {
    {"asyncPrimaryDisk", 'o', disk_resource_status_async_replication_status_fields},
    {"asyncSecondaryDisks", 'o', NULL},
    {0},
};

const struct emu_field emu_disk_fields[] = {
    {"accessMode", 's', NULL},
    {"architecture", 's', NULL},
    {"asyncPrimaryDisk", 'o', disk_async_replication_fields},
    {"asyncSecondaryDisks", 'o', NULL},
    {"creationTimestamp", 's', NULL},
    {"description", 's', NULL},
    {"diskEncryptionKey", 'o', customer_encryption_key_fields},
    {"enableConfidentialCompute", 'b', NULL},
    {"guestOsFeatures", 'a', guest_os_feature_fields},
    {"id", 'l', NULL},
    {"kind", 's', NULL},
    {"labelFingerprint", 's', NULL},
    {"labels", 'm', NULL},
    {"lastAttachTimestamp", 's', NULL},
    {"lastDetachTimestamp", 's', NULL},
    {"licenseCodes", 't', NULL},
    {"licenses", 't', NULL},
    {"locationHint", 's', NULL},
    {"name", 's', NULL},
    {"options", 's', NULL},
    {"params", 'o', disk_params_fields},
    {"physicalBlockSizeBytes", 'l', NULL},
    {"provisionedIops", 'l', NULL},
    {"provisionedThroughput", 'l', NULL},
    {"region", 's', NULL},
    {"replicaZones", 't', NULL},
    {"resourcePolicies", 't', NULL},
    {"resourceStatus", 'o', disk_resource_status_fields},
    {"satisfiesPzi", 'b', NULL},
    {"satisfiesPzs", 'b', NULL},
    {"selfLink", 's', NULL},
    {"sizeGb", 'l', NULL},
    {"sourceConsistencyGroupPolicy", 's', NULL},
    {"sourceConsistencyGroupPolicyId", 's', NULL},
    {"sourceDisk", 's', NULL},
    {"sourceDiskId", 's', NULL},
    {"sourceImage", 's', NULL},
    {"sourceImageEncryptionKey", 'o', customer_encryption_key_fields},
    {"sourceImageId", 's', NULL},
    {"sourceInstantSnapshot", 's', NULL},
    {"sourceInstantSnapshotId", 's', NULL},
    {"sourceSnapshot", 's', NULL},
    {"sourceSnapshotEncryptionKey", 'o', customer_encryption_key_fields},
    {"sourceSnapshotId", 's', NULL},
    {"sourceStorageObject", 's', NULL},
    {"status", 's', NULL},
    {"storagePool", 's', NULL},
    {"type", 's', NULL},
    {"users", 't', NULL},
    {"zone", 's', NULL},
    {0},
};

static const struct emu_field deprecation_status_fields[] = {
    {"deleted", 's', NULL},     {"deprecated", 's', NULL}, {"obsolete", 's', NULL},
    {"replacement", 's', NULL}, {"state", 's', NULL},      {0},
};

static const struct emu_field file_content_buffer_fields[] = {
    {"content", 's', NULL},
    {"fileType", 's', NULL},
    {0},
};

static const struct emu_field initial_state_config_fields[] = {
    {"dbs", 'a', file_content_buffer_fields},
    {"dbxs", 'a', file_content_buffer_fields},
    {"keks", 'a', file_content_buffer_fields},
    {"pk", 'o', file_content_buffer_fields},
    {0},
};

const struct emu_field emu_image_fields[] = {
    {"architecture", 's', NULL},
    {"archiveSizeBytes", 'l', NULL},
    {"creationTimestamp", 's', NULL},
    {"deprecated", 'o', deprecation_status_fields},
    {"description", 's', NULL},
    {"diskSizeGb", 'l', NULL},
    {"enableConfidentialCompute", 'b', NULL},
    {"family", 's', NULL},
    {"guestOsFeatures", 'a', guest_os_feature_fields},
    {"id", 'l', NULL},
    {"imageEncryptionKey", 'o', customer_encryption_key_fields},
    {"kind", 's', NULL},
    {"labelFingerprint", 's', NULL},
    {"labels", 'm', NULL},
    {"licenseCodes", 't', NULL},
    {"licenses", 't', NULL},
    {"name", 's', NULL},
    {"rawDisk", 'o', NULL},
    {"satisfiesPzi", 'b', NULL},
    {"satisfiesPzs", 'b', NULL},
    {"selfLink", 's', NULL},
    {"shieldedInstanceInitialState", 'o', initial_state_config_fields},
    {"sourceDisk", 's', NULL},
    {"sourceDiskEncryptionKey", 'o', customer_encryption_key_fields},
    {"sourceDiskId", 's', NULL},
    {"sourceImage", 's', NULL},
    {"sourceImageEncryptionKey", 'o', customer_encryption_key_fields},
    {"sourceImageId", 's', NULL},
    {"sourceSnapshot", 's', NULL},
    {"sourceSnapshotEncryptionKey", 'o', customer_encryption_key_fields},
    {"sourceSnapshotId", 's', NULL},
    {"sourceType", 's', NULL},
    {"status", 's', NULL},
    {"storageLocations", 't', NULL},
    {0},
};
