/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.h - requests that are put aside until something changes.
 *
 * A waiting request is a suspended connection: it costs no thread. It is resumed by a wake, when
 * its time has come, when its client has gone (libmicrohttpd does not notice that while a
 * connection is suspended), and when the server stops; whoever resumes it takes it off the list.
 */
#ifndef HTTP_WAITING_H
#define HTTP_WAITING_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

struct http_waiter {
    struct MHD_Connection *connection;
    int64_t until; /* http_now_ms() clock */
    bool gone;     /* set before the resumption: the client has closed its side */
    struct http_waiter *next, **link; /* NULL link: not on the list */
};

struct http_waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t timer;
    struct http_waiter *first;
    _Atomic uint64_t wakes; /* counts wakes, so that none is lost before the suspension */
    bool stopping;
};

/* Start the timer's thread. Errors: VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int http_waiting_start(struct http_waiting *waiting, struct vmcp_error *err);
/* Resume everyone, and from now on at once; end the thread. */
void http_waiting_stop(struct http_waiting *waiting);

/* To be asked before a handler looks at the world. */
uint64_t http_waiting_mark(struct http_waiting *waiting);
/* Suspend the connection, on its own thread. If there was a wake since `mark`, it is resumed at
 * once and looks again. */
void http_waiting_put(struct http_waiting *waiting, struct http_waiter *waiter, uint64_t mark);
void http_waiting_wake(struct http_waiting *waiting);

#endif
