/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h - the project's service accounts: who they are, what they may do, which keys are
 * theirs. Only public keys are kept. */
#ifndef EMU_ACCOUNTS_H
#define EMU_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/key.h"
#include "resources/store.h"

enum { EMU_EMAIL_MAX = 160, EMU_ACCOUNT_ID_LEN = 21, EMU_KID_LEN = 40, EMU_ACCOUNT_KEYS_MAX = 16 };

/* The whole address of `name`: a short name gets @PROJECT.iam.gserviceaccount.com. Errors:
 * VMCP_E_USAGE for what is neither. */
VMCP_MUST_CHECK int emu_account_email(const char *name, const char *project,
                                      char ret[static EMU_EMAIL_MAX + 1], struct vmcp_error *err);

/* The unique id of an account, 21 digits: always the same for an address. */
void emu_account_unique_id(const char *email, char ret[static EMU_ACCOUNT_ID_LEN + 1]);

/* Create an account; one that is there already stays as it is. */
VMCP_MUST_CHECK int emu_account_add(struct emu_store *store, const char *email,
                                    struct vmcp_error *err);
VMCP_MUST_CHECK int emu_account_exists(struct emu_store *store, const char *email, bool *ret,
                                       struct vmcp_error *err);

/* The address of an account that is named by it or by its unique id. */
VMCP_MUST_CHECK int emu_account_find(struct emu_store *store, const char *name, bool *ret_found,
                                     char ret_email[static EMU_EMAIL_MAX + 1],
                                     struct vmcp_error *err);

/* Give a role (roles.h) to an account that exists. Errors: VMCP_E_USAGE for an unknown one. */
VMCP_MUST_CHECK int emu_account_grant(struct emu_store *store, const char *email, const char *role,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_account_may(struct emu_store *store, const char *email,
                                    const char *permission, bool *ret, struct vmcp_error *err);

VMCP_MUST_CHECK int emu_account_add_key(struct emu_store *store, const char *email, const char *kid,
                                        const struct vmcp_key *key, struct vmcp_error *err);

/* The keys of an account, or the one named `kid` (NULL: all). Each new, vmcp_key_unref(). */
VMCP_MUST_CHECK int emu_account_keys(struct emu_store *store, const char *email, const char *kid,
                                     struct vmcp_key *ret[static EMU_ACCOUNT_KEYS_MAX],
                                     size_t *ret_count, struct vmcp_error *err);

#endif
