/* SPDX-License-Identifier: Apache-2.0 */
/* lro.h - the two kinds of long-running operations that Google's APIs answer: Compute's own, and
 * google.longrunning's (AIP-151). */
#ifndef LAUNCH_LRO_H
#define LAUNCH_LRO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "reach.h"

/* How an operation is. */
struct launch_lro {
    bool is_one, done, failed;
    char error[300]; /* code and message; "" */
};

/* Look at an answer's JSON. */
struct launch_lro launch_lro_read(const json_t *answer);

/* The URL to ask how it is: for Compute its selfLink, which has to be of the API that was called;
 * else its name below the version that the called URL has. False where there is none that could be
 * asked. */
bool launch_lro_url(const struct launch_reach *reach, const char *called, const json_t *answer,
                    char *ret, size_t size);

#endif
