/* SPDX-License-Identifier: Apache-2.0 */
/* guest_attributes.h - what guests write about themselves: instance/guest-attributes/NAMESPACE/KEY.
 *
 * The values are in the state, with the instance's id; the metadata server writes them and the
 * Compute API reads them (instances.getGuestAttributes).
 */
#ifndef EMU_GUEST_ATTRIBUTES_H
#define EMU_GUEST_ATTRIBUTES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "resources/store.h"

enum {
    EMU_GUEST_NAME_MAX = 128,         /* characters of a namespace, and of a key */
    EMU_GUEST_VALUE_MAX = 256 * 1024, /* bytes of a value */
    EMU_GUEST_TOTAL_MAX = 512 * 1024, /* bytes of all that an instance has */
    EMU_GUEST_WRITES_MAX = 10,        /* of one instance in one second */
};

/* True if a metadata tree (tree.h) switches them on: enable-guest-attributes among the instance's
 * attributes, or else the project's. */
bool emu_guest_attributes_enabled(const json_t *tree);

/* True for the name of a namespace or key: letters, digits, dots, dashes, underscores. */
bool emu_guest_attribute_name(const char *name);

/* Errors: VMCP_E_LIMIT for more than an instance may have. */
VMCP_MUST_CHECK int emu_guest_attribute_put(struct emu_store *store, uint64_t instance,
                                            const char *space, const char *key, const char *value,
                                            struct vmcp_error *err);
/* *ret_found is false where there was none. */
VMCP_MUST_CHECK int emu_guest_attribute_delete(struct emu_store *store, uint64_t instance,
                                               const char *space, const char *key, bool *ret_found,
                                               struct vmcp_error *err);
/* The instance is gone. */
VMCP_MUST_CHECK int emu_guest_attributes_drop(struct emu_store *store, uint64_t instance,
                                              struct vmcp_error *err);

/* All of an instance: {NAMESPACE: {KEY: VALUE}}, in the order of the names. New reference. */
VMCP_MUST_CHECK int emu_guest_attributes_load(struct emu_store *store, uint64_t instance,
                                              json_t **ret, struct vmcp_error *err);

#endif
