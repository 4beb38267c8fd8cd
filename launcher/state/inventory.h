/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.h - all that a state folder holds, machine by machine; and how to forget one. */
#ifndef LAUNCH_INVENTORY_H
#define LAUNCH_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

/* The machines below DIR, those of `domain` and `machine` only (NULL: all), in the order of their
 * names. Each is {"domain", "machine", "serial", "vms", "intents"}, or {…, "damaged": why}, and
 * *ret_damaged then holds the first such error. *ret is a new array. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int launch_inventory(const char *dir, const char *domain, const char *machine,
                                     json_t **ret, struct vmcp_error *ret_damaged,
                                     struct vmcp_error *err);

/* Forget a machine: its serial floor, its VMs' ids, its intents. With open intents it is
 * VMCP_E_STATE_BUSY unless `force`: an insert may have been sent, and nobody would settle it.
 * *ret_known: there was something to forget. With `dry_run` nothing is removed. */
VMCP_MUST_CHECK int launch_inventory_forget(const char *dir, const char *domain,
                                            const char *machine, bool force, bool dry_run,
                                            bool *ret_known, struct vmcp_error *err);

#endif
