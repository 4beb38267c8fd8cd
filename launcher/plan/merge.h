/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - a machine's `gce` part over the generated draft of the insert body.
 *
 * JSON Merge Patch (RFC 7396), with three exceptions because it replaces arrays: `metadata` is
 * merged by key, `tags.items` is united, and `disks[0]` is merged into the generated boot disk, so
 * that it keeps its image and size unless it names its own.
 *
 * In a draft, `metadata` is a plain object of key to value; launch_metadata_items() makes the API's
 * form of it.
 */
#ifndef LAUNCH_MERGE_H
#define LAUNCH_MERGE_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

/* Apply RFC 7396: change `target` (an object) by `patch` (an object, borrowed). */
VMCP_MUST_CHECK int launch_merge_patch(json_t *target, const json_t *patch, struct vmcp_error *err);

/* Merge a signed `gce` part (borrowed) over the draft. `with_user_data`: the machine brings a
 * script of its own. VMCP_E_PLAN for what a `gce` part cannot set: `name`, `zone`, metadata keys
 * that begin with `vmcp-`, a second startup script. */
VMCP_MUST_CHECK int launch_merge_gce(json_t *draft, const json_t *gce, bool with_user_data,
                                     struct vmcp_error *err);

/* Turn the draft's metadata into {"items": [{"key", "value"}, …]} and hold it to the API's limits:
 * keys [A-Za-z0-9_-]{1,127}, a value at most 256 KiB, all of it under 512 KB. VMCP_E_PLAN. */
VMCP_MUST_CHECK int launch_metadata_items(json_t *draft, struct vmcp_error *err);

/* The value of a key in the API's form of metadata; NULL if it is not there. Borrowed. */
const char *launch_metadata_item(const json_t *instance, const char *key);

#endif
