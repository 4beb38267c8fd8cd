/* SPDX-License-Identifier: Apache-2.0 */
/* parallel.h - one function over many items, on as many threads as there are processors. */
#ifndef SRV_PARALLEL_H
#define SRV_PARALLEL_H

#include <stddef.h>

/* Call work(arg, i) for each i below `count`, in any order, and return when all calls have ended.
 * The calling thread works too, so it goes on where no thread can be made. */
void srv_parallel(size_t count, void (*work)(void *arg, size_t i), void *arg);

#endif
