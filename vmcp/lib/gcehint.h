/* SPDX-License-Identifier: Apache-2.0 */
/* gcehint.h - what Compute Engine will make of a machine: what it changes, cannot do, or refuses.
 *
 * The rules of `vmcp-launch plan` with its defaults (series e2, image debian-12, no suffix), said
 * before anything is signed. They are warnings: a machine that is not for Compute Engine is a good
 * machine. A default that the file does not state is not warned about.
 */
#ifndef VMCP_GCEHINT_H
#define VMCP_GCEHINT_H

#include "config.h"
#include "diag.h"

/* Append the warnings about a config that vmcp_config_parse() found good, each with the pointer of
 * the value that it speaks of in the file. */
void vmcp_gcehint_check(const struct vmcp_config *config, struct vmcp_diags *diags);

#endif
