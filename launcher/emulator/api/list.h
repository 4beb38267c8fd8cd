/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - answers with many items: filter, orderBy, maxResults, pageToken. */
#ifndef EMU_LIST_H
#define EMU_LIST_H

#include <jansson.h>

#include "call.h"

/* The page of `items` (borrowed) that the query asks for: filtered, in the order of their selfLinks
 * or as orderBy says, cut. A page begins behind the last item of the one before, whatever was made
 * or deleted meanwhile. *ret is a new reference; *ret_next, free(), is NULL on the last page. */
VMCP_MUST_CHECK int emu_list_page(const struct emu_call *call, const json_t *items, json_t **ret,
                                  char **ret_next, struct emu_refusal *why);

/* The whole answer of a list method. `kind` is "compute#instanceList". *ret is a new reference. */
VMCP_MUST_CHECK int emu_list_answer(const struct emu_call *call, const char *kind,
                                    const json_t *items, json_t **ret, struct emu_refusal *why);

#endif
