/* SPDX-License-Identifier: Apache-2.0 */
/* peers.h - how many connections each address has that was brought by http_server_add_connection().
 *
 * libmicrohttpd counts a connection that is brought to it only when one of its threads gets to it,
 * and does not survive a burst that takes it over its limit. So the count is kept here, from before
 * the connection is brought, and one address can take its own share only.
 */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { HTTP_PEERS_MAX = 8192 }; /* addresses; a power of two */

struct http_peers {
    pthread_mutex_t lock;
    unsigned total, total_max, each_max;
    struct {
        in_addr_t address; /* 0: free */
        unsigned count;
    } slots[HTTP_PEERS_MAX]; /* open addressing; an address keeps its slot */
};

void http_peers_init(struct http_peers *peers, unsigned total_max, unsigned each_max);
/* Count one more; false if the address, or all together, have their share. Only IPv4 is counted:
 * any other address is refused. */
bool http_peers_take(struct http_peers *peers, const struct sockaddr *address);
/* One less, for an address that was counted; nothing for others. */
void http_peers_give(struct http_peers *peers, const struct sockaddr *address);

#endif
