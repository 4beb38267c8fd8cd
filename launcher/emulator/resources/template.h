/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - instance templates: from properties to the body of an insert. */
#ifndef EMU_TEMPLATE_H
#define EMU_TEMPLATE_H

#include <jansson.h>

#include "base/refusal.h"
#include "cloud.h"

/* The properties of the template that `text` names, in any spelling. New reference in *ret. */
VMCP_MUST_CHECK int emu_template_resolve(struct emu_cloud *cloud, const char *text,
                                         const char *field, json_t **ret, struct emu_refusal *why);

/* The body of an instance in `zone` from properties: short names become paths in the zone. New
 * reference; NULL without memory. */
json_t *emu_template_body(const json_t *properties, const char *zone);

#endif
