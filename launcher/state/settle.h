/* SPDX-License-Identifier: Apache-2.0 */
/* settle.h - carry an intent to its end: send, follow the operation, read the instance, record. */
#ifndef LAUNCH_SETTLE_H
#define LAUNCH_SETTLE_H

#include <jansson.h>
#include <stdbool.h>

#include "cloud/compute.h"
#include "intent.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "state.h"

/* How an intent ended. */
struct launch_outcome {
    json_t *instance; /* the VM that was made, as read after the operation; owned; NULL: none */
    bool taken;       /* the name belongs to another VM */
    bool stock_out;   /* the operation said that the zone had no room */
    bool closed;      /* the outcome is definite, and the intent is gone */
    /* What the operation failed with though the VM is there; VMCP_OK: it did not. */
    struct vmcp_error failure;
};

/* Send the intent (again), follow its operation for at most `timeout` seconds, read the instance,
 * remember its id, close the intent. One that was found and is older than 30 minutes is not sent
 * again (a requestId is not remembered for ever) but looked up.
 *
 * A failed operation's word is not enough: the name is looked at, and a VM that is there all the
 * same counts as made. One whose time is in the future (the clock was set back) is taken for old.
 *
 * Success: a VM was made, or the name is taken (*ret says which), or an old intent had come to
 * nothing. A refused insert (VMCP_E_API), a failed operation (VMCP_E_OPERATION) or one that was
 * never sent is an error with ret->closed. With any other error the outcome is not known, and the
 * intent stays. *ret is filled in every case. */
VMCP_MUST_CHECK int launch_settle(const struct launch_compute *compute, struct launch_state *state,
                                  const struct launch_intent *intent, int timeout,
                                  struct launch_outcome *ret, struct vmcp_error *err);

/* Settle every open intent of this API; one of another API is left alone with a warning. Definite
 * failures are told and forgotten. *ret_made (a new array) has the ids of the VMs that were made.
 * An error means that one could not be settled now. */
VMCP_MUST_CHECK int launch_settle_all(const struct launch_compute *compute,
                                      struct launch_state *state, int timeout,
                                      struct launch_report *report, json_t **ret_made,
                                      struct vmcp_error *err);

void launch_outcome_clear(struct launch_outcome *outcome);
#define auto_outcome VMCP_AUTO(launch_outcome_clear)

#endif
