/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - the `filter` parameter of lists: comparisons joined by AND, OR and NOT.
 *
 *   name = web-1        status != RUNNING      labels.role:*       clientOperationId="…"
 *   name eq web-.*      (status = RUNNING) OR (name : web)         guestCpus >= 4
 *
 * `:` finds a substring, `:*` presence; `eq` and `ne` are whole matches of a regular expression.
 * Comparisons that stand beside each other are joined by AND.
 */
#ifndef EMU_FILTER_H
#define EMU_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/refusal.h"
#include "lib/auto.h"

struct emu_filter;

/* Read a filter; one that is not understood is 400. NULL or "" lets all through, and *ret is NULL.
 */
VMCP_MUST_CHECK int emu_filter_read(const char *text, struct emu_filter **ret,
                                    struct emu_refusal *why);
void emu_filter_free(struct emu_filter *filter);
#define auto_filter VMCP_AUTO(emu_filter_auto_)
VMCP_DEFINE_AUTO(emu_filter_auto_, struct emu_filter *, emu_filter_free)

/* Does `item` fit? NULL: everything does. */
bool emu_filter_fits(const struct emu_filter *filter, const json_t *item);

#endif
