/* SPDX-License-Identifier: Apache-2.0 */
/* destination.h - where a credential may be sent (launcher.md, "Tokens").
 *
 * Only over https to the universe domain or a host under it, or to the scheme, host and port of
 * --api-endpoint; http there only on loopback, link-local or with --insecure-api. URLs are taken
 * apart by a strict pattern of our own: what it does not know is refused, so that no parser further
 * down can see another host than the one that was checked.
 */
#ifndef LAUNCH_DESTINATION_H
#define LAUNCH_DESTINATION_H

#include <stdbool.h>

#include "lib/error.h"

struct launch_origin {
    bool https;
    char host[256]; /* lower case; an IPv6 address without its brackets */
    int port;
};

/* Take `scheme://host[:port][/path…]` apart. The path may hold only what a URL of an API needs: no
 * userinfo, query, fragment, backslash or white space. Errors: VMCP_E_URL_MALFORMED. */
VMCP_MUST_CHECK int launch_origin_parse(const char *url, struct launch_origin *ret,
                                        struct vmcp_error *err);
/* An address literal of loopback or link-local, or `localhost`. */
bool launch_origin_is_local(const struct launch_origin *origin);

#define LAUNCH_UNIVERSE "googleapis.com" /* where nobody names another */

struct launch_destinations {
    const char *universe;       /* never NULL */
    const char *api;            /* --api-endpoint, or NULL */
    const char *token_endpoint; /* --token-endpoint, or NULL */
    bool insecure_api;
};

/* Is it a domain that a credential may go to every host of? One label ("com") would be half the
 * internet, and an address has no hosts under it: VMCP_E_CREDENTIALS. */
VMCP_MUST_CHECK int launch_universe_check(const char *universe, struct vmcp_error *err);
/* Are --api-endpoint and --token-endpoint themselves places that a token may go to?
 * VMCP_E_PLAIN_HTTP, VMCP_E_URL_MALFORMED. */
VMCP_MUST_CHECK int launch_destinations_check(const struct launch_destinations *rules,
                                              struct vmcp_error *err);
/* May a credential go to `url`? Errors: VMCP_E_CREDENTIALS, VMCP_E_URL_MALFORMED. */
VMCP_MUST_CHECK int launch_destination_check(const struct launch_destinations *rules,
                                             const char *url, struct vmcp_error *err);

#endif
