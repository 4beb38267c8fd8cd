/* SPDX-License-Identifier: Apache-2.0 */
/* rates.h - requests per second of each address: token buckets in a table of fixed size.
 *
 * A bucket is one number, the time at which it would be full again (GCRA, ITU-T I.371): a request
 * moves it on by 1/rate, and is refused when it would be more than burst/rate ahead. A full bucket
 * is the same as none, so an address that is quiet needs no place. Where the table has no room, the
 * bucket that is nearest to full goes.
 */
#ifndef HTTP_RATES_H
#define HTTP_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "lib/error.h"

struct http_rates;

/* `rate` requests a second in the long run, `burst` at once; both over 0. */
VMCP_MUST_CHECK int http_rates_new(unsigned rate, unsigned burst, struct http_rates **ret,
                                   struct vmcp_error *err);
void http_rates_free(struct http_rates *rates);

/* Take one token of `group` (see http_address_group()) at `now` (nanoseconds of a clock that does
 * not go back). False: there is none, and *ret_retry_after says in how many seconds there will be.
 */
bool http_rates_take(struct http_rates *rates, const struct http_address *group, int64_t now,
                     int *ret_retry_after);

#endif
