/* SPDX-License-Identifier: Apache-2.0 */
#include "holders.h"

#include <stdlib.h>
#include <sys/random.h>

enum { BUCKETS = 4096 }; /* a power of two */

int http_holders_init(struct http_holders *h, struct vmcp_error *err)
{
    h->buckets = calloc(BUCKETS, sizeof(struct http_holder *));
    if (h->buckets && getrandom(&h->seed, sizeof(h->seed), 0) == sizeof(h->seed))
        return 0;
    http_holders_clear(h);
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a table of addresses");
}

void http_holders_clear(struct http_holders *h)
{
    free(h->buckets);
    h->buckets = NULL;
}

static struct http_holder **find(struct http_holders *h, const struct http_address *address,
                                 bool is_block)
{
    struct http_holder **at = &h->buckets[http_address_hash(address, h->seed) % BUCKETS];
    while (*at && ((*at)->is_block != is_block || !http_address_equal(&(*at)->address, address)))
        at = &(*at)->next;
    return at;
}

static struct http_holder *get(struct http_holders *h, const struct http_address *address,
                               bool is_block)
{
    struct http_holder **at = find(h, address, is_block);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at)
            return NULL;
        (*at)->address = *address;
        (*at)->is_block = is_block;
    }
    (*at)->refs++;
    return *at;
}

void http_holders_put(struct http_holders *h, struct http_holder *holder)
{
    if (--holder->refs > 0)
        return;
    struct http_holder **at = find(h, &holder->address, holder->is_block);
    *at = holder->next;
    if (holder->block)
        http_holders_put(h, holder->block);
    free(holder);
}

struct http_holder *http_holders_get(struct http_holders *h, const struct http_address *address)
{
    struct http_address group = http_address_group(address);
    struct http_address wide = http_address_block(address);
    struct http_holder *holder = get(h, &group, false);
    if (!holder || holder->block || !http_address_is_v6(address))
        return holder;
    holder->block = get(h, &wide, true);
    if (holder->block)
        return holder;
    http_holders_put(h, holder);
    return NULL;
}

struct http_holder *http_holder_block(struct http_holder *holder)
{
    return holder->block ? holder->block : holder;
}

void http_holders_unweigh(struct http_holders *h)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct http_holder *at = h->buckets[i]; at; at = at->next)
            at->weight = 0;
}

unsigned http_holders_heaviest(const struct http_holders *h)
{
    unsigned heaviest = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct http_holder *at = h->buckets[i]; at; at = at->next)
            if (at->weight > heaviest)
                heaviest = at->weight;
    return heaviest;
}
