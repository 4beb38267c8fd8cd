/* SPDX-License-Identifier: Apache-2.0 */
/* joburi.h - the URI that a job calls (RFC 3986): taken apart by the letter, as it was signed. */
#ifndef VMCP_JOBURI_H
#define VMCP_JOBURI_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "limits.h"

struct vmcp_joburi {
    bool https;                     /* else http */
    char host[VMCP_DOMAIN_MAX + 1]; /* in lower case; an IPv6 address without brackets */
    int port;                       /* the scheme's where none is given */
    size_t origin_len;              /* of scheme, host and port: where the path begins */
};

/* Check a URI: http or https, a host, no user, no fragment, nothing that would have to be encoded.
 * Macros may stand behind the origin. On failure *ret_at (NULL: not wanted) is the byte at which it
 * is wrong. Errors: VMCP_E_URL_MALFORMED, VMCP_E_MACRO. */
VMCP_MUST_CHECK int vmcp_joburi_parse(const char *uri, struct vmcp_joburi *ret, size_t *ret_at,
                                      struct vmcp_error *err);

/* Is it https, to `universe` ("googleapis.com") or a host under it? Only there may an access token
 * go. */
bool vmcp_joburi_in_universe(const struct vmcp_joburi *uri, const char *universe);

#endif
