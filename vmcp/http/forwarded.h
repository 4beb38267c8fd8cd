/* SPDX-License-Identifier: Apache-2.0 */
/* forwarded.h - who asks, where proxies stand between.
 *
 * Anybody can send X-Forwarded-For or Forwarded (RFC 7239). Only a peer that is a trusted proxy is
 * believed, and of what it says only the part that trusted proxies wrote: from the right, up to the
 * first hop that is none of them. That hop is the client.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "lib/limits.h"

struct http_trusted {
    struct http_cidr items[HTTP_TRUSTED_MAX];
    size_t count;
};

bool http_trusted_contains(const struct http_trusted *trusted, const struct http_address *address);

/* The client of a request from `peer`. `x_forwarded_for` and `forwarded` are the values of all such
 * headers in their order, joined by commas; NULL: none. What cannot be read, or where the two
 * headers disagree, leaves the last hop that could be: nobody escapes a limit by forging. */
struct http_address http_forwarded_client(const struct http_trusted *trusted,
                                          const struct http_address *peer,
                                          const char *x_forwarded_for, const char *forwarded);

#endif
