/* SPDX-License-Identifier: Apache-2.0 */
/* link_local.h - 169.254.169.254 on this machine's loopback interface. */
#ifndef EMU_LINK_LOCAL_H
#define EMU_LINK_LOCAL_H

#include <stdbool.h>

#include "http/listen.h"
#include "lib/error.h"

#define EMU_LINK_LOCAL "169.254.169.254"

struct emu_link_local {
    char *ip;   /* the program; owned */
    bool added; /* by us: to be removed at the end */
};

/* Add the address to `lo`, which is brought up; one that is there already is used and left there.
 * *ret_listener listens on its port 80, for this machine only: connections that come in by another
 * interface are not taken. Errors: VMCP_E_FILE without `ip`, VMCP_E_INTERNAL without the right. */
VMCP_MUST_CHECK int emu_link_local_up(struct emu_link_local *link,
                                      struct http_listener *ret_listener, struct vmcp_error *err);
void emu_link_local_down(struct emu_link_local *link);

#endif
