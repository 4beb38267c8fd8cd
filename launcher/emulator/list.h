/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - answers with many items: filter, maxResults, pageToken. */
#ifndef EMU_LIST_H
#define EMU_LIST_H

#include <jansson.h>

#include "call.h"

/* The answer of a list method: `items` (borrowed) in their order, filtered and cut into pages as
 * the query asks. `kind` is "compute#instanceList". *ret is a new reference. */
VMCP_MUST_CHECK int emu_list_answer(const struct emu_call *call, const char *kind,
                                    const json_t *items, json_t **ret, struct emu_refusal *why);

/* Only the items that the query's filter lets through; new reference. */
VMCP_MUST_CHECK int emu_list_filter(const struct emu_call *call, const json_t *items, json_t **ret,
                                    struct emu_refusal *why);

#endif
