/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - the VMCP machine: a flat object of parameters, and its schema.
 *
 * A parameter is a string or an integer of 32 bits. Those of VMCP's table have a type and a range;
 * any other is signed, and warned about; one that is a known one but for case is an error, because
 * it would switch the known one off without changing the signed text of version 1.
 */
#ifndef VMCP_MACHINE_H
#define VMCP_MACHINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "error.h"

struct vmcp_parameter {
    const char *name;
    bool is_integer;  /* else a string */
    bool is_required; /* and not empty */
    int64_t min, max; /* of an integer */
};

/* A row of VMCP's table by its exact name, or NULL. */
const struct vmcp_parameter *vmcp_parameter_find(const char *name);

/* Check a machine (borrowed) by the schema: keys, types, ranges, what must be there and what not
 * together. `prefix` is the JSON Pointer of the machine in its document. */
void vmcp_machine_check(const json_t *machine, const char *prefix, struct vmcp_diags *diags);

/* The bits of `flags`, and what VMCP calls them. */
enum vmcp_flag {
    VMCP_FLAG_64BIT = 1,
    VMCP_FLAG_ONLINE_DISK = 2,
    VMCP_FLAG_GUEST_ADDITIONS = 4,
    VMCP_FLAG_FLOPPY = 8,
    VMCP_FLAG_HEADFUL = 16,
    VMCP_FLAG_GRAPHICAL = 32,
    VMCP_FLAG_SECOND_NIC = 64,
    VMCP_FLAG_SERIAL_LOG = 128,
    VMCP_FLAG_LOCAL_DISK = 256,
    VMCP_FLAG_IMPORT = 512,
    VMCP_FLAG_LOCAL_ISO = 1024,
};

#endif
