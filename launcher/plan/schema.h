/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - is this a body that instances.insert takes?
 *
 * Strict: a field that is not in the table is refused, and so is a value of another type. It guards
 * more than typing errors: Google's front end reads some fields under a second spelling, and a
 * bound that looks for `serviceAccounts` must not be walked around by another name.
 */
#ifndef LAUNCH_SCHEMA_H
#define LAUNCH_SCHEMA_H

#include <jansson.h>

#include "lib/error.h"

struct launch_field {
    const char *name;
    /* "s" string, "i" integer of 32 bits, "n" integer of 64 bits, which is a string of digits in
     * JSON, "b" boolean, "m" object of strings, "@Type" an object, "A|B" one of these strings;
     * "[]" in front: an array of that. */
    const char *type;
};

struct launch_type {
    const char *name;
    const struct launch_field *fields; /* ends in {0} */
};

extern const struct launch_type launch_types[]; /* ends in {0}; the first is Instance */

/* Check a body. VMCP_E_PLAN, with the path of the first fault in err->where. */
VMCP_MUST_CHECK int launch_schema_check(const json_t *body, struct vmcp_error *err);

#endif
