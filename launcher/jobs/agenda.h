/* SPDX-License-Identifier: Apache-2.0 */
/* agenda.h - which of many is due first: a binary heap that knows where each of them stands.
 *
 *     launch_agenda_set(&agenda, 7, at_ms);
 *     while (launch_agenda_first(&agenda, &id) <= now_ms)
 *         … and launch_agenda_set() it to its next time
 */
#ifndef LAUNCH_AGENDA_H
#define LAUNCH_AGENDA_H

#include <stddef.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"

#define LAUNCH_NEVER INT64_MAX

struct launch_agenda {
    int64_t *at;     /* by id */
    uint32_t *heap;  /* ids; no child is due before its parent */
    uint32_t *place; /* of each id in `heap` */
    size_t count;
};

/* Ids are 0 to count-1, each due LAUNCH_NEVER. Errors: VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int launch_agenda_init(struct launch_agenda *agenda, size_t count,
                                       struct vmcp_error *err);
void launch_agenda_clear(struct launch_agenda *agenda);

void launch_agenda_set(struct launch_agenda *agenda, size_t id, int64_t at);

/* When the first is due; its id goes into *ret_id (NULL: not wanted). LAUNCH_NEVER where none is.
 */
int64_t launch_agenda_first(const struct launch_agenda *agenda, size_t *ret_id);

#endif
