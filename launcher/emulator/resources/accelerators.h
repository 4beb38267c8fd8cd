/* SPDX-License-Identifier: Apache-2.0 */
/* accelerators.h - the accelerator types that every zone has. */
#ifndef EMU_ACCELERATORS_H
#define EMU_ACCELERATORS_H

#include <jansson.h>
#include <stddef.h>

/* Their names in order; NULL past the end. */
const char *emu_accelerator_at(size_t index);
/* The AcceleratorType resource; NULL if there is none of that name. New reference. */
json_t *emu_accelerator_resource(const char *name, const char *project, const char *zone);

#endif
