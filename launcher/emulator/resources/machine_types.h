/* SPDX-License-Identifier: Apache-2.0 */
/* machine_types.h - machine types: the predefined ones, and custom shapes by their rules.
 *
 * Every zone has all of them.
 */
#ifndef EMU_MACHINE_TYPES_H
#define EMU_MACHINE_TYPES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct emu_machine_type {
    char name[64];
    int cpus;
    int memory_mb;
    bool shared;
};

/* Look a name up. False if there is no such type; for a custom name that breaks the rules, `why`
 * (`size` bytes) then says which, else it is "". */
bool emu_machine_type_find(const char *name, struct emu_machine_type *ret, char *why, size_t size);

/* The predefined types, in order. False past the end. */
bool emu_machine_type_at(size_t index, struct emu_machine_type *ret);

/* The MachineType resource. New reference; NULL without memory. */
json_t *emu_machine_type_resource(const struct emu_machine_type *type, const char *project,
                                  const char *zone);

#endif
