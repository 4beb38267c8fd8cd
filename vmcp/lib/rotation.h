/* SPDX-License-Identifier: Apache-2.0 */
/* rotation.h - moving the keys of a keys folder one step: next to active, active to retired.
 *
 * A type of key (Ed25519, P-256, RSA) moves when next/ has a key of it; the others stay. For each
 * key that becomes active a new one of its kind is made in next/, and where next/ was empty only
 * that is done. A key in hardware gets no successor, which would lie in a file. Retired keys that
 * were published long enough are removed.
 *
 * The folder and those in it belong to the user that this runs as; nothing is given to another.
 *
 * All that is to be done is written into a journal in the folder first, then done, in an order in
 * which there is an active key of each type at any moment, then the journal is removed. A run that
 * was interrupted anywhere is finished by the next one, which then does nothing else.
 *
 *     struct vmcp_rotation done = {0};
 *     const struct vmcp_rotation_options o = {.now = time(NULL), .min_published = 24 * 3600,
 *                                             .retire_after = 48 * 3600};
 *     int rc = vmcp_rotation_run("/etc/vmcp/keys", &o, &done, &err);
 */
#ifndef VMCP_ROTATION_H
#define VMCP_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "journal.h"
#include "limits.h"
#include "passphrase.h"

struct vmcp_rotation_options {
    int64_t now;           /* seconds since 1970 */
    int64_t min_published; /* seconds that a next key must have been published */
    int64_t retire_after;  /* seconds that a retired key stays published */
    bool dry_run;          /* say what would be done, change nothing */
    /* Of encrypted keys; the new ones are encrypted with it where it has a source, or where an old
     * one was. NULL: none. */
    struct vmcp_passphrase *pass;
};

/* Rotate. On success *ret has what was done. Errors: VMCP_E_TOO_EARLY where a next key was not
 * published long enough; VMCP_E_STATE_BUSY where another rotation runs; VMCP_E_STATE for a journal
 * that cannot be read; VMCP_E_FILE, VMCP_E_KEY…. */
VMCP_MUST_CHECK int vmcp_rotation_run(const char *dir, const struct vmcp_rotation_options *options,
                                      struct vmcp_rotation *ret, struct vmcp_error *err);

#endif
