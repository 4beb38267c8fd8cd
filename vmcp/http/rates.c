/* SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SETS = 1024, WAYS = 8, LOCKS = 64 }; /* 8,192 addresses in 256 KiB */

struct bucket {
    struct http_address address;
    int64_t full_at;
};

struct http_rates {
    int64_t interval; /* nanoseconds for one token */
    int64_t depth;    /* for all of them */
    uint64_t seed;
    pthread_mutex_t locks[LOCKS];
    struct bucket sets[SETS][WAYS];
};

int http_rates_new(unsigned rate, unsigned burst, struct http_rates **ret, struct vmcp_error *err)
{
    struct http_rates *rates = calloc(1, sizeof(*rates));
    if (!rates || getrandom(&rates->seed, sizeof(rates->seed), 0) != sizeof(rates->seed)) {
        free(rates);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the limits of requests");
    }
    rates->interval = 1000000000 / (int64_t)rate;
    rates->depth = rates->interval * (int64_t)burst;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&rates->locks[i], NULL);
    *ret = rates;
    return 0;
}

void http_rates_free(struct http_rates *rates)
{
    for (int i = 0; rates && i < LOCKS; i++)
        pthread_mutex_destroy(&rates->locks[i]);
    free(rates);
}

/* The address's bucket, or the one to give up for it. */
static struct bucket *find(struct bucket set[static WAYS], const struct http_address *address)
{
    struct bucket *fullest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].full_at && http_address_equal(&set[i].address, address))
            return &set[i];
        if (set[i].full_at < fullest->full_at)
            fullest = &set[i];
    }
    *fullest = (struct bucket){.address = *address};
    return fullest;
}

bool http_rates_take(struct http_rates *rates, const struct http_address *group, int64_t now,
                     int *ret_retry_after)
{
    size_t at = http_address_hash(group, rates->seed) % SETS;
    pthread_mutex_t *lock = &rates->locks[at % LOCKS];
    pthread_mutex_lock(lock);
    struct bucket *bucket = find(rates->sets[at], group);
    int64_t full_at = (bucket->full_at > now ? bucket->full_at : now) + rates->interval;
    int64_t over = full_at - now - rates->depth;
    if (over <= 0)
        bucket->full_at = full_at;
    pthread_mutex_unlock(lock);
    if (over > 0)
        *ret_retry_after = (int)((over + 999999999) / 1000000000);
    return over <= 0;
}
