/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_schema.h - what a file of metadata has to look like (metadata_file.h). */
#ifndef EMU_METADATA_SCHEMA_H
#define EMU_METADATA_SCHEMA_H

#include <jansson.h>

#include "lib/error.h"

/* The tree (tree.h) of {"computeMetadata": {"v1": TREE}}, with what it does not say filled in as
 * empty. *ret is a new reference. Errors: VMCP_E_CONFIG, which says where and what is wanted. */
VMCP_MUST_CHECK int emu_metadata_schema_tree(const json_t *document, json_t **ret,
                                             struct vmcp_error *err);

#endif
