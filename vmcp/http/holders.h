/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h - who holds connections: a hash table of addresses.
 *
 * An IPv4 address holds for itself. Of IPv6 a /64 does, as limits count it; and each belongs to its
 * /48, which is what one customer of a provider gets: 65,536 of them are one neighbour when it
 * comes to who gives way.
 */
#ifndef HTTP_HOLDERS_H
#define HTTP_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "lib/error.h"

struct http_holder {
    struct http_address address; /* its first one */
    bool is_block;               /* the /48 of others */
    unsigned count;              /* connections that are not doomed; not kept for a block */
    unsigned refs;               /* all of them */
    unsigned weight;             /* while somebody weighs them */
    struct http_holder *block;   /* NULL: it is its own */
    struct http_holder *next;
};

struct http_holders {
    struct http_holder **buckets;
    uint64_t seed;
};

VMCP_MUST_CHECK int http_holders_init(struct http_holders *holders, struct vmcp_error *err);
/* Everything was put back before. */
void http_holders_clear(struct http_holders *holders);

/* The holder of an address, one reference more; NULL without memory. */
struct http_holder *http_holders_get(struct http_holders *holders,
                                     const struct http_address *address);
void http_holders_put(struct http_holders *holders, struct http_holder *holder);

/* Who is weighed: the /48 of IPv6, itself else. */
struct http_holder *http_holder_block(struct http_holder *holder);
/* All weigh nothing. */
void http_holders_unweigh(struct http_holders *holders);
/* What the heaviest weighs. */
unsigned http_holders_heaviest(const struct http_holders *holders);

#endif
