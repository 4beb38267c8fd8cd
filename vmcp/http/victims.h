/* SPDX-License-Identifier: Apache-2.0 */
/* victims.h - who loses a connection when another needs its place.
 *
 * In this order; what has a request in flight is never chosen:
 *   1. a second and more into a handshake or a request's head, which take honest clients less;
 *   2. idle after an answer: its client loses nothing, and connects again;
 *   3. new, and not yet a second old;
 *   4. an answer that its client does not take.
 * Of 1, 2 and 4, whoever has most of that kind, an address or a /48 of IPv6, gives up its oldest.
 * So an attack from thousands of addresses does not make the largest honest one, a NAT or a proxy,
 * its victim: what it has most of is answered. Of 3, only who has over a quarter of all places is
 * chosen before others, for 1,000 VMs behind one address may all begin at once; else the oldest
 * goes. Trusted proxies and Unix sockets come last of all.
 */
#ifndef HTTP_VICTIMS_H
#define HTTP_VICTIMS_H

#include <stdbool.h>

#include "connections.h"

/* Mark those to be shut down, some that have waited longest, of one holder or (NULL) of all; gives
 * how many, 0 where none waits. Called with the table's lock. */
size_t http_victims_choose(struct http_connections *table, const struct http_holder *holder,
                           struct http_connection *ret[static HTTP_VICTIMS_MAX]);

/* Since when it has waited, if it may be shut down; else 0. */
int64_t http_victim_since(const struct http_connection *connection);

#endif
