/* SPDX-License-Identifier: Apache-2.0 */
/* intent.h - an insert that is about to be sent, written down first.
 *
 * However a run ends, the next one finds in the intent what may have been sent: project, zone,
 * name, the requestId and the very bytes. It sends them again with the same requestId, which makes
 * one VM and not two, and follows the operation. Only a definite outcome closes an intent.
 *
 *     rc = launch_intent_open(state, compute, "vm", zone, name, body, &intent, &err);
 *     rc = launch_settle(compute, state, &intent, timeout, &outcome, &err);       settle.h
 */
#ifndef LAUNCH_INTENT_H
#define LAUNCH_INTENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/compute.h"
#include "cloud/resource.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/limits.h"
#include "state.h"

struct launch_intent {
    char request_id[VMCP_JTI_LEN + 1];
    char role[16]; /* "vm" or "launcher" */
    char project[LAUNCH_PROJECT_MAX + 1];
    char zone[LAUNCH_LABEL_MAX + 1];
    char name[LAUNCH_LABEL_MAX + 1];
    char api[512];   /* base URL of the API that it is for */
    int64_t created; /* seconds since 1970 */
    char *body;      /* owned; wiped, since it may hold VM-1's key */
    bool found;      /* read back: an earlier run may have sent it */
};

/* Write a new intent for `body` down. `compute` gives project and API. */
VMCP_MUST_CHECK int launch_intent_open(const struct launch_state *state,
                                       const struct launch_compute *compute, const char *role,
                                       const char *zone, const char *name, const json_t *body,
                                       struct launch_intent *ret, struct vmcp_error *err);

/* Call `each` for every open intent, in the order of their names; its non-zero result ends the walk
 * and is returned. VMCP_E_STATE for one that cannot be read. */
VMCP_MUST_CHECK int launch_intent_each(const struct launch_state *state,
                                       int (*each)(void *arg, struct launch_intent *intent,
                                                   struct vmcp_error *err),
                                       void *arg, struct vmcp_error *err);

/* Its outcome is known and recorded: remove it. */
VMCP_MUST_CHECK int launch_intent_close(const struct launch_state *state,
                                        const struct launch_intent *intent, struct vmcp_error *err);

void launch_intent_clear(struct launch_intent *intent);
#define auto_intent VMCP_AUTO(launch_intent_clear)

#endif
