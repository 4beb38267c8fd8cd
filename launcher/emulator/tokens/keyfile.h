/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - service-account key files, in Google's JSON format.
 *
 * The private key exists in that file only; the emulator keeps the public half.
 */
#ifndef EMU_KEYFILE_H
#define EMU_KEYFILE_H

#include "lib/error.h"
#include "resources/store.h"

struct emu_keyfile {
    const char *path;
    const char *email; /* of an account that exists */
    const char *project;
    const char *token_uri; /* where a holder of the key gets its tokens */
};

/* Make an RSA-2048 key for the account and write its file: created, never overwritten, 0600. A
 * file that is there already and holds a key that this state knows as the account's is left as it
 * is. Errors: VMCP_E_FILE_EXISTS for any other file, VMCP_E_FILE, VMCP_E_CRYPTO. */
VMCP_MUST_CHECK int emu_keyfile_ensure(struct emu_store *store, const struct emu_keyfile *file,
                                       struct vmcp_error *err);

#endif
