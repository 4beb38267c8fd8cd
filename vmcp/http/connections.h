/* SPDX-License-Identifier: Apache-2.0 */
/* connections.h - every open connection of a server, whom it comes from, and until when.
 *
 * A connection waits (for the end of its client's headers, or for its client to take its answer) or
 * is busy (with a request, until its answer is made). One that waits may be closed at any time:
 * when its deadline has come, however steadily its bytes arrive, and when others need its place.
 * What is busy is closed by its deadline only.
 *
 * Where all places are taken, or one address has its share, some give theirs up: victims.h says
 * who. So whoever sends slowly pushes out itself and never the others, and a client whose headers
 * come at once is answered even beside a thousand slow ones at its own address.
 *
 * The state of a connection is atomic, not locked: it changes twice with each request.
 */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "address.h"
#include "ends.h"
#include "holders.h"
#include "lib/error.h"

enum { HTTP_VICTIMS_MAX = 16 }; /* pushed out at once */

/* The first member of a struct that malloc() made; it belongs to the table while it is in it. */
struct http_connection {
    int fd;
    struct sockaddr_storage peer;
    struct http_address address; /* of the peer */
    bool is_spared;              /* a trusted proxy's, or of a Unix socket: others give way first */
    bool names_count;            /* its requests must be for a name of the server's (hosts.h) */
    _Atomic int64_t waiting_since; /* http_now_ms() clock; 0: busy */
    _Atomic int64_t deadline;      /* http_now_ms() clock; 0: none */
    atomic_bool proven;            /* it has had an answer */
    atomic_bool begun;             /* a request line has come */
    atomic_bool answered;          /* its answer is queued: it waits for its client to read */
    struct http_holder *holder;    /* the rest is the table's */
    bool started, doomed;
    enum http_end why; /* it was doomed */
    int64_t woken_at;  /* its waiting_since when it was woken because its client had gone */
    struct http_connection *next;
};

struct http_connections {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t reaper;
    bool stopping;
    struct http_connection **by_fd;
    size_t size;            /* of by_fd */
    size_t high;            /* no entry at or above it */
    unsigned total, doomed; /* doomed: shut down, and not yet closed by libmicrohttpd */
    unsigned total_max;
    int64_t next_look; /* for clients that have gone */
    struct http_holders holders;
    struct http_connection *lost; /* libmicrohttpd closed them without a word, out of memory */
};

/* Start with its reaper's thread. */
VMCP_MUST_CHECK int http_connections_start(struct http_connections *table, unsigned total_max,
                                           struct vmcp_error *err);
/* Every connection has been removed before. */
void http_connections_stop(struct http_connections *table);

/* Count a connection whose `fd` and `peer` are set, waiting until `deadline`; at most `each_max` of
 * one address (0: any number). False: there is no room, and none to be made; its `why` says whose.
 */
bool http_connections_add(struct http_connections *table, struct http_connection *connection,
                          unsigned each_max, int64_t deadline);
/* libmicrohttpd has begun with the connection of that descriptor: from now on it may be shut down.
 * NULL: there is none. */
struct http_connection *http_connections_started(struct http_connections *table, int fd);
/* Before its descriptor is closed. It is the caller's again. */
void http_connections_remove(struct http_connections *table, struct http_connection *connection);

/* Shut down some that have waited longest: descriptors ran out. False: none waits. */
bool http_connections_make_room(struct http_connections *table);
/* True while more are about to close than the table likes to have beyond its maximum. */
bool http_connections_lag(struct http_connections *table);
/* How many have a request in flight, or bytes that nobody has read yet. */
size_t http_connections_busy(struct http_connections *table);
/* How many there are. */
unsigned http_connections_count(struct http_connections *table);

/* The state of one, from the thread that serves it. */
static inline void http_connection_wait(struct http_connection *c, int64_t now, int64_t deadline)
{
    atomic_store_explicit(&c->begun, false, memory_order_relaxed);
    atomic_store_explicit(&c->answered, false, memory_order_relaxed);
    atomic_store_explicit(&c->deadline, deadline, memory_order_relaxed);
    atomic_store_explicit(&c->waiting_since, now, memory_order_release);
}

/* Its answer is queued: a client that does not read gives way to others. */
static inline void http_connection_answer(struct http_connection *c, int64_t now)
{
    atomic_store_explicit(&c->answered, true, memory_order_relaxed);
    atomic_store_explicit(&c->waiting_since, now, memory_order_release);
}

static inline void http_connection_work(struct http_connection *c, int64_t deadline)
{
    atomic_store_explicit(&c->waiting_since, 0, memory_order_relaxed);
    atomic_store_explicit(&c->deadline, deadline, memory_order_release);
}

#endif
