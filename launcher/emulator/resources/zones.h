/* SPDX-License-Identifier: Apache-2.0 */
/* zones.h - the places that exist here: a slice of Google's zones and their regions. */
#ifndef EMU_ZONES_H
#define EMU_ZONES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { EMU_ZONE_MAX = 63 };

/* The zones in the order of the table; NULL past the end. */
const char *emu_zone_at(size_t index);
bool emu_zone_exists(const char *zone);
bool emu_region_exists(const char *region);
/* The region of a zone: all before its last dash. */
void emu_zone_region(const char *zone, char ret[static EMU_ZONE_MAX + 1]);

/* The Zone resource in `project`. New reference; NULL without memory. */
json_t *emu_zone_resource(const char *project, const char *zone);

#endif
