/* SPDX-License-Identifier: Apache-2.0 */
/* roles.h - what the predefined roles allow, as far as this emulator asks for it. */
#ifndef EMU_ROLES_H
#define EMU_ROLES_H

#include <stdbool.h>

/* True if there is a role of that name ("roles/compute.viewer"). */
bool emu_role_exists(const char *role);
/* True if the role allows the permission ("compute.instances.create"). */
bool emu_role_allows(const char *role, const char *permission);
/* The role whose name is nearest to a mistyped one; NULL: none is near. */
const char *emu_role_suggest(const char *role);

#endif
