/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.h - for which names a server answers (RFC 9110, section 7.4).
 *
 * A web page may have its own name lead to an address inside the reader's network, or to the
 * reader's own machine, once it is loaded: its scripts then read what a server there answers, for
 * to the browser it is the page's own. What the browser cannot change is the Host header, which
 * has the page's name. So a server that answers for its own names only is of no use to such a page.
 *
 * An address in the Host header is always good: nobody can have it lead elsewhere.
 */
#ifndef HTTP_HOSTS_H
#define HTTP_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/limits.h"

struct http_hosts {
    const char *names[HTTP_HOSTS_MAX]; /* borrowed; "*" is any */
    size_t count;
    bool everywhere; /* not only where a connection came over loopback without TLS */
};

/* Add a name: a host name without a port, or "*". Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int http_hosts_add(struct http_hosts *hosts, const char *name,
                                   struct vmcp_error *err);

/* Is `host` (with a port or without; NULL: the request has none) one to answer for? So are, besides
 * the names that were added: addresses; localhost and what is below it, which browsers never look
 * up; names without a dot, which nobody outside can have. */
bool http_hosts_have(const struct http_hosts *hosts, const char *host);

#endif
