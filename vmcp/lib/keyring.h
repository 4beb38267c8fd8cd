/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.h - a domain's keys and the state that each is in.
 *
 * A key is active (signs), next (published, does not sign yet) or retired (still published, signs
 * nothing). In a keys folder the state is the sub-folder that the key's file lies in:
 *
 *     DIR/active/NAME   DIR/next/NAME   DIR/retired/NAME
 *
 * NAME.pub and hidden files are not keys. How long a key has been in its state is told by the
 * file's change time, which a move renews and nobody can set back.
 */
#ifndef VMCP_KEYRING_H
#define VMCP_KEYRING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "key.h"
#include "limits.h"
#include "passphrase.h"

enum vmcp_key_state { VMCP_KEY_ACTIVE, VMCP_KEY_NEXT, VMCP_KEY_RETIRED };
enum { VMCP_KEY_STATES = VMCP_KEY_RETIRED + 1 };

/* What interrupted rotations leave in a keys folder (rotation.h). */
#define VMCP_KEYRING_JOURNAL ".rotation"

struct vmcp_keyring_entry {
    struct vmcp_key *key; /* owned; retired ones may be public halves */
    enum vmcp_key_state state;
    int64_t since;                        /* seconds since 1970; 0: not from a keys folder */
    char name[VMCP_KEYFILE_NAME_MAX + 1]; /* the file's name in its state's folder, or "" */
};

struct vmcp_keyring {
    struct vmcp_keyring_entry entries[VMCP_KEYRING_MAX]; /* in the order that version 2 prefers:
                                                            Ed25519, P-256, RSA */
    size_t count;
};

/* "active", "next", "retired": the names of the folders, and of `status` in the JWK set. */
const char *vmcp_key_state_name(enum vmcp_key_state state);

/* Add a key (a reference is taken); `where` names it in messages. Keys of one type stay in the
 * order in which they came. Errors: VMCP_E_LIMIT; VMCP_E_KEY for a key that is there already, or an
 * active or next one whose private half is not here or does not fit its public one. */
VMCP_MUST_CHECK int vmcp_keyring_add(struct vmcp_keyring *ring, struct vmcp_key *key,
                                     enum vmcp_key_state state, const char *where,
                                     struct vmcp_error *err);

/* Add what lies in the keys folder `dir`, file by file in the order of their names. A folder
 * without next/ or retired/ is fine. `pass` is that of encrypted keys, or NULL. The folder is
 * locked (shared) meanwhile, unless `locked` says that the caller has done so.
 * Errors: VMCP_E_FILE, VMCP_E_KEY…, VMCP_E_LIMIT; the ring may hold some keys then. */
VMCP_MUST_CHECK int vmcp_keyring_load(struct vmcp_keyring *ring, const char *dir,
                                      struct vmcp_passphrase *pass, bool locked,
                                      struct vmcp_error *err);

/* Lock a folder until *ret_fd is closed: shared for reading keys, exclusive for moving them; both
 * wait, and VMCP_E_STATE_BUSY after VMCP_KEYRING_LOCK_WAIT. VMCP_LOCK_TRY is exclusive too, and
 * VMCP_E_STATE_BUSY where another holds it: rotations hold it on active/ from their beginning to
 * their end, and the keys folder only while they move.
 */
enum vmcp_lock { VMCP_LOCK_SHARED, VMCP_LOCK_EXCLUSIVE, VMCP_LOCK_TRY };
VMCP_MUST_CHECK int vmcp_keyring_lock(const char *dir, enum vmcp_lock how, int *ret_fd,
                                      struct vmcp_error *err);

/* The active key that signs: in version 2 the first; in version 1 the first RSA key. NULL: none. */
const struct vmcp_key *vmcp_keyring_signing_key(const struct vmcp_keyring *ring, bool rsa_only);

/* The public keys as a JWK set (RFC 7517, section 5), each with its `status`, but for the keys that
 * were retired before `retired_before` (seconds since 1970). *ret is a new reference. */
VMCP_MUST_CHECK int vmcp_keyring_jwks(const struct vmcp_keyring *ring, int64_t retired_before,
                                      json_t **ret, struct vmcp_error *err);

void vmcp_keyring_clear(struct vmcp_keyring *ring);
#define auto_keyring __attribute__((cleanup(vmcp_keyring_clear)))

#endif
