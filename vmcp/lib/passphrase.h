/* SPDX-License-Identifier: Apache-2.0 */
/* passphrase.h - the passphrase of an encrypted key, or a token's PIN: where it comes from.
 *
 *   file:PATH         a private file (file.h); its last newline is cut
 *   fd:N              an open file descriptor, read to its end
 *   env:NAME          an environment variable
 *   credential:NAME   a file of that plain name below $CREDENTIALS_DIRECTORY (systemd)
 *   prompt            asked on /dev/tty, not echoed
 *
 * It is read when the first key needs it, and once: one source serves all keys.
 *
 *     auto_passphrase struct vmcp_passphrase pass = {0};
 *     if (vmcp_passphrase_init(&pass, "file:/run/pass", false, &err) < 0 ||
 *         vmcp_key_open("cfg.key", &pass, &key, &err) < 0) ...
 *
 * No message ever holds a passphrase, nor a source that cannot be read as one: it may be one.
 */
#ifndef VMCP_PASSPHRASE_H
#define VMCP_PASSPHRASE_H

#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "error.h"
#include "limits.h"

struct vmcp_passphrase {
    const char *source; /* borrowed; NULL: none was named */
    bool ask;           /* then ask on the terminal, where there is one */
    bool have;
    size_t len;
    char text[VMCP_PASSPHRASE_MAX + 1];
};

/* Set the source (NULL: none; borrowed) and see that it is one: VMCP_E_USAGE. Nothing is read yet.
 */
VMCP_MUST_CHECK int vmcp_passphrase_init(struct vmcp_passphrase *pass, const char *source, bool ask,
                                         struct vmcp_error *err);

/* See that pass->text is there: read it, if it is not. `what` goes into the prompt and the errors:
 * "the passphrase of cfg.key". Errors: VMCP_E_PASSPHRASE, VMCP_E_FILE, VMCP_E_FILE_MODE,
 * VMCP_E_LIMIT. */
VMCP_MUST_CHECK int vmcp_passphrase_get(struct vmcp_passphrase *pass, const char *what,
                                        struct vmcp_error *err);

/* The same for a key that is to be encrypted: a prompt asks twice. */
VMCP_MUST_CHECK int vmcp_passphrase_get_new(struct vmcp_passphrase *pass, const char *what,
                                            struct vmcp_error *err);

void vmcp_passphrase_clear(struct vmcp_passphrase *pass); /* wipes */
#define auto_passphrase VMCP_AUTO(vmcp_passphrase_clear)

#endif
