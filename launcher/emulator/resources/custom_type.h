/* SPDX-License-Identifier: Apache-2.0 */
/* custom_type.h - custom machine types: SERIES-custom-CPUS-MB and the rules of each series. */
#ifndef EMU_CUSTOM_TYPE_H
#define EMU_CUSTOM_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "machine_types.h"

/* Read a name like "custom-2-4096" (N1), "n2-custom-4-8192", "n2-custom-2-20480-ext" or
 * "e2-custom-small-2048". False if it is no custom name (`why` is then ""), or if it breaks a rule
 * (`why` says which). */
bool emu_custom_type_parse(const char *name, struct emu_machine_type *ret, char *why, size_t size);

#endif
