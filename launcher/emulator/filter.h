/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - the `filter` parameter of lists: comparisons joined by AND.
 *
 *   name = web-1        status != RUNNING      labels.role:*       clientOperationId="…"
 *   name eq web-.*      (status = RUNNING) AND (name : web)
 *
 * `:` finds a substring, `:*` presence; `eq` and `ne` are whole matches of a regular expression.
 */
#ifndef EMU_FILTER_H
#define EMU_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "refusal.h"

/* Does `item` fit? *ret is set; a filter that is not understood is 400. NULL or "" fits all. */
VMCP_MUST_CHECK int emu_filter_fits(const char *filter, const json_t *item, bool *ret,
                                    struct emu_refusal *why);

#endif
