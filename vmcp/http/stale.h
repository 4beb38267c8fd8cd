/* SPDX-License-Identifier: Apache-2.0 */
/* stale.h - the socket file that a killed server left behind. */
#ifndef HTTP_STALE_H
#define HTTP_STALE_H

#include <sys/un.h>

#include "lib/error.h"

/* Make room for bind(): remove a socket of this user at which nobody listens any more. Nothing else
 * is removed: not another's socket, not one about which the kernel says anything but "connection
 * refused", and not what took its name while it was asked. `place` is for the message. Nothing
 * there is fine. Errors: VMCP_E_NETWORK. */
VMCP_MUST_CHECK int http_stale_remove(const struct sockaddr_un *address, const char *place,
                                      struct vmcp_error *err);

#endif
