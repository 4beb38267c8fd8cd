/* SPDX-License-Identifier: Apache-2.0 */
/* gcerules.h - names and labels that Compute Engine refuses in the `gce` part of a machine file.
 *
 * The second half of gcehint.h, which calls it: warnings, at the value that they speak of.
 */
#ifndef VMCP_GCERULES_H
#define VMCP_GCERULES_H

#include <jansson.h>
#include <stdbool.h>

#include "diag.h"

/* RFC 1035, section 2.3.1, in lower case: what instances, types and images are named. */
bool vmcp_gce_is_name(const char *s);

/* Warn about labels and a machine type that would be refused. `gce` may be NULL. What a macro makes
 * of a value is not known here, and not judged. */
void vmcp_gce_check_names(const json_t *gce, struct vmcp_diags *diags);

#endif
