/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void http_peers_init(struct http_peers *peers, unsigned total_max, unsigned each_max)
{
    pthread_mutex_init(&peers->lock, NULL);
    peers->total_max = total_max;
    peers->each_max = each_max;
}

/* The count of an address, NULL if there is none and no room (or no wish) for one. Locked. */
static unsigned *count_of(struct http_peers *peers, const struct sockaddr *address, bool make)
{
    struct sockaddr_in in;
    if (address->sa_family != AF_INET)
        return NULL;
    memcpy(&in, address, sizeof(in));
    in_addr_t ip = in.sin_addr.s_addr;
    size_t at = (ntohl(ip) * UINT32_C(2654435761)) % HTTP_PEERS_MAX; /* Knuth's multiplier */
    for (size_t i = 0; ip && i < HTTP_PEERS_MAX; i++, at = (at + 1) % HTTP_PEERS_MAX) {
        if (peers->slots[at].address == 0 && !make)
            return NULL;
        if (peers->slots[at].address == 0)
            peers->slots[at].address = ip;
        if (peers->slots[at].address == ip)
            return &peers->slots[at].count;
    }
    return NULL;
}

bool http_peers_take(struct http_peers *peers, const struct sockaddr *address)
{
    pthread_mutex_lock(&peers->lock);
    unsigned *count = count_of(peers, address, true);
    bool taken = count && *count < peers->each_max && peers->total < peers->total_max;
    if (taken) {
        ++*count;
        peers->total++;
    }
    pthread_mutex_unlock(&peers->lock);
    return taken;
}

void http_peers_give(struct http_peers *peers, const struct sockaddr *address)
{
    pthread_mutex_lock(&peers->lock);
    unsigned *count = count_of(peers, address, false);
    if (count && *count > 0) {
        --*count;
        peers->total--;
    }
    pthread_mutex_unlock(&peers->lock);
}
