/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - what a metadata server says, as one JSON document: the answer to
 * `/computeMetadata/v1/?recursive=true`, made from an Instance resource.
 */
#ifndef EMU_TREE_H
#define EMU_TREE_H

#include <jansson.h>

#include "resources/instance.h"

struct emu_tree_project {
    const char *id;
    const char *number; /* digits */
};

/* Make the document; `guest` is the instance's guest attributes, borrowed, NULL: none. New
 * reference; NULL without memory. */
json_t *emu_tree_make(const struct emu_tree_project *project, const struct emu_instance *instance,
                      const json_t *guest);

#endif
