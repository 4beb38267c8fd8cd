/* SPDX-License-Identifier: Apache-2.0 */
/* encryption.h - the encryption keys that a body names, and what of a body must not be shown.
 *
 * A key is a CustomerEncryptionKey: of the instance, of a disk, of the image or snapshot that a
 * disk is made from. Its `rawKey` and `rsaEncryptedKey` are the key itself.
 */
#ifndef LAUNCH_ENCRYPTION_H
#define LAUNCH_ENCRYPTION_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"
#include "settings.h"

/* Hold every key to the operator's bounds: its service account to --allow-service-account, its
 * project to --allow-resource-project. VMCP_E_POLICY. */
VMCP_MUST_CHECK int launch_encryption_check(const json_t *body,
                                            const struct launch_settings *settings,
                                            struct vmcp_error *err);

#define LAUNCH_NOT_SHOWN "(key material, not shown)"

/* Is the value at `path` ("metadata.k", "disks[0].diskEncryptionKey.rawKey") key material? */
bool launch_is_key_material(const char *path, const json_t *value);

/* A copy of a body (metadata as the API's items) with LAUNCH_NOT_SHOWN in place of key material.
 * New reference; NULL without memory. */
json_t *launch_without_keys(const json_t *body);

#endif
