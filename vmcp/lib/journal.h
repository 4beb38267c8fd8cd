/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the steps of a rotation on disk: written before the first is done, done so that doing
 * them again does no harm, removed after the last. */
#ifndef VMCP_JOURNAL_H
#define VMCP_JOURNAL_H

#include "error.h"
#include "rotation.h"

/* Read the journal of the keys folder `dir`. *ret_found is false where there is none. Errors:
 * VMCP_E_STATE for one that is not what vmcp_journal_write() writes. */
VMCP_MUST_CHECK int vmcp_journal_read(const char *dir, struct vmcp_rotation *ret, bool *ret_found,
                                      struct vmcp_error *err);

/* Write it, whole or not at all. */
VMCP_MUST_CHECK int vmcp_journal_write(const char *dir, const struct vmcp_rotation *rotation,
                                       struct vmcp_error *err);

/* Do the steps that are not done yet, make them durable, remove the journal. */
VMCP_MUST_CHECK int vmcp_journal_perform(const char *dir, const struct vmcp_rotation *rotation,
                                         struct vmcp_error *err);

#endif
