/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - making this process's own namespaces, for within.h. In a child with one thread. */
#ifndef EMU_INSIDE_H
#define EMU_INSIDE_H

#include <stddef.h>

#include "lib/error.h"

/* Enter new namespaces, bring loopback up, and put 169.254.169.254 into /etc/hosts under its names.
 */
VMCP_MUST_CHECK int emu_inside_enter(struct vmcp_error *err);

/* Listen on "ADDR:PORT", an IPv4 address or localhost; an address that is not 127.* is added to the
 * interface. `number` tells such addresses apart. */
VMCP_MUST_CHECK int emu_inside_listen(const char *addr_port, unsigned number, int *ret_fd,
                                      struct vmcp_error *err);

#endif
