/* SPDX-License-Identifier: Apache-2.0 */
/* persona.h - whom the metadata server shows to everybody but the VMs. "" is: not said. */
#ifndef EMU_PERSONA_H
#define EMU_PERSONA_H

#include "tokens/accounts.h"

enum { EMU_PROJECT_MAX = 63, EMU_PROJECT_NUMBER_MAX = 19 };

struct emu_persona {
    char project[EMU_PROJECT_MAX + 1];
    char number[EMU_PROJECT_NUMBER_MAX + 1]; /* digits */
    char email[EMU_EMAIL_MAX + 1];
};

#endif
