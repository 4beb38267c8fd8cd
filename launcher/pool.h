/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a run's work on many VMs, several at once. */
#ifndef LAUNCH_POOL_H
#define LAUNCH_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "run.h"

/* Do number `i`, in a run that shares all with the caller's but the connections. From several
 * threads at once. False: nothing more is to be begun. */
typedef bool (*launch_pool_one)(void *arg, struct launch_run *run, int64_t i);

/* Do 0 to count-1, at most `parallel` at once, and wait for them. Errors: VMCP_E_NO_MEMORY, or what
 * making an HTTP client fails with; not what the work itself meets. */
VMCP_MUST_CHECK int launch_pool(const struct launch_run *run, int64_t count, int parallel,
                                launch_pool_one one, void *arg, struct vmcp_error *err);

#endif
