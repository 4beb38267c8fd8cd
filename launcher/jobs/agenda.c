/* SPDX-License-Identifier: Apache-2.0 */
#include "agenda.h"

#include <stdlib.h>

int launch_agenda_init(struct launch_agenda *agenda, size_t count, struct vmcp_error *err)
{
    size_t room = count ? count : 1;
    *agenda = (struct launch_agenda){.at = calloc(room, sizeof(*agenda->at)),
                                     .heap = calloc(room, sizeof(*agenda->heap)),
                                     .place = calloc(room, sizeof(*agenda->place)),
                                     .count = count};
    if (!agenda->at || !agenda->heap || !agenda->place)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %zu jobs", count);
    for (size_t i = 0; i < count; i++) {
        agenda->at[i] = LAUNCH_NEVER;
        agenda->heap[i] = agenda->place[i] = (uint32_t)i;
    }
    return 0;
}

void launch_agenda_clear(struct launch_agenda *agenda)
{
    free(agenda->at);
    free(agenda->heap);
    free(agenda->place);
    *agenda = (struct launch_agenda){0};
}

static int64_t at_place(const struct launch_agenda *agenda, size_t place)
{
    return agenda->at[agenda->heap[place]];
}

static void swap(struct launch_agenda *agenda, size_t a, size_t b)
{
    uint32_t id = agenda->heap[a];
    agenda->heap[a] = agenda->heap[b];
    agenda->heap[b] = id;
    agenda->place[agenda->heap[a]] = (uint32_t)a;
    agenda->place[agenda->heap[b]] = (uint32_t)b;
}

static size_t first_child(const struct launch_agenda *agenda, size_t place)
{
    size_t child = 2 * place + 1;
    if (child + 1 < agenda->count && at_place(agenda, child + 1) < at_place(agenda, child))
        child++;
    return child;
}

void launch_agenda_set(struct launch_agenda *agenda, size_t id, int64_t at)
{
    size_t i = agenda->place[id];
    agenda->at[id] = at;
    for (; i > 0 && at < at_place(agenda, (i - 1) / 2); i = (i - 1) / 2)
        swap(agenda, i, (i - 1) / 2);
    for (size_t c = first_child(agenda, i); c < agenda->count && at_place(agenda, c) < at;
         i = c, c = first_child(agenda, i))
        swap(agenda, i, c);
}

int64_t launch_agenda_first(const struct launch_agenda *agenda, size_t *ret_id)
{
    if (!agenda->count)
        return LAUNCH_NEVER;
    if (ret_id)
        *ret_id = agenda->heap[0];
    return at_place(agenda, 0);
}
