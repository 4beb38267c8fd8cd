/* SPDX-License-Identifier: Apache-2.0 */
#include "victims.h"

#include "clock.h"

enum {
    STALLED_MS = 1000,
    TOGETHER_MS = 100, /* as old as the oldest: the search is not for each new connection */
    SHARE = 4,         /* one in so many places is no more than a boot storm behind one address */
};

enum rank { STALLED, IDLE, YOUNG, ANSWERED, RANKS };

int64_t http_victim_since(const struct http_connection *c)
{
    if (!c || !c->started || c->doomed)
        return 0;
    return atomic_load_explicit(&c->waiting_since, memory_order_acquire);
}

/* The lower, the sooner; -1: not at all. */
static int rank_of(const struct http_connection *c, const struct http_holder *holder, int64_t now)
{
    int64_t since = http_victim_since(c);
    if (!since || (holder && c->holder != holder))
        return -1;
    int first = c->is_spared && !holder ? RANKS : 0;
    if (atomic_load_explicit(&c->answered, memory_order_relaxed))
        return first + ANSWERED;
    if (atomic_load_explicit(&c->proven, memory_order_relaxed) &&
        !atomic_load_explicit(&c->begun, memory_order_relaxed))
        return first + IDLE;
    return first + (since + STALLED_MS <= now ? STALLED : YOUNG);
}

/* The lowest rank that anybody has; -1: none waits. */
static int lowest_rank(const struct http_connections *t, const struct http_holder *holder,
                       int64_t now)
{
    int lowest = -1;
    for (size_t i = 0; i < t->high; i++) {
        int rank = rank_of(t->by_fd[i], holder, now);
        if (rank >= 0 && (lowest < 0 || rank < lowest))
            lowest = rank;
    }
    return lowest;
}

/* Weigh all by their connections of that rank: what those weigh who have most, or 0: it does not
 * matter whose they are. */
static unsigned weigh(struct http_connections *t, int rank, int64_t now)
{
    http_holders_unweigh(&t->holders);
    for (size_t i = 0; i < t->high; i++)
        if (rank_of(t->by_fd[i], NULL, now) == rank)
            http_holder_block(t->by_fd[i]->holder)->weight++;
    unsigned heaviest = http_holders_heaviest(&t->holders);
    return rank % RANKS == YOUNG && heaviest <= t->total_max / SHARE ? 0 : heaviest;
}

size_t http_victims_choose(struct http_connections *t, const struct http_holder *holder,
                           struct http_connection *ret[static HTTP_VICTIMS_MAX])
{
    int64_t now = http_now_ms(), oldest = 0;
    int rank = lowest_rank(t, holder, now);
    unsigned weight = rank < 0 || holder ? 0 : weigh(t, rank, now);
    size_t found = 0;
    for (int pass = 0; rank >= 0 && pass < 2; pass++) {
        for (size_t i = 0; i < t->high && found < HTTP_VICTIMS_MAX; i++) {
            struct http_connection *c = t->by_fd[i];
            if (rank_of(c, holder, now) != rank ||
                (weight && http_holder_block(c->holder)->weight != weight))
                continue;
            int64_t since = http_victim_since(c);
            if (pass == 0 && since && (!oldest || since < oldest))
                oldest = since;
            else if (pass == 1 && since && since <= oldest + TOGETHER_MS)
                ret[found++] = c;
        }
    }
    return found;
}
