/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the steps of a rotation on disk: written before the first is done, done so that doing
 * them again does no harm, removed after the last. */
#ifndef VMCP_JOURNAL_H
#define VMCP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "keyring.h"
#include "limits.h"

enum vmcp_rotation_kind {
    VMCP_ROTATION_PROMOTE, /* next to active */
    VMCP_ROTATION_RETIRE,  /* active to retired */
    VMCP_ROTATION_MAKE,    /* a new next key */
    VMCP_ROTATION_REMOVE,  /* a retired key, for good */
    VMCP_ROTATION_KINDS,
};

enum { VMCP_ROTATION_PATH_MAX = VMCP_KEYFILE_NAME_MAX + 16 };

struct vmcp_rotation_step {
    enum vmcp_rotation_kind kind;
    char from[VMCP_ROTATION_PATH_MAX + 1];    /* below the keys folder: "next/NAME" */
    char to[VMCP_ROTATION_PATH_MAX + 1];      /* "" for VMCP_ROTATION_REMOVE */
    char thumbprint[VMCP_THUMBPRINT_LEN + 1]; /* "" for a key that a dry run would make */
};

struct vmcp_rotation {
    struct vmcp_rotation_step steps[2 * VMCP_KEYRING_MAX]; /* in the order in which they are done */
    size_t count;
    bool resumed; /* these are the steps of an earlier run that was interrupted */
};

/* "promote", "retire", "make", "remove" */
const char *vmcp_rotation_kind_name(enum vmcp_rotation_kind kind);

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
