/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - a secret typed on the controlling terminal, not echoed. */
#ifndef VMCP_TERMINAL_H
#define VMCP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* True if the process has a controlling terminal. */
bool vmcp_terminal_is_there(void);

/* Show `prompt` on /dev/tty and read one line into `out` of `size` bytes, without its newline; what
 * was typed before the prompt does not count. The terminal is as it was afterwards, whatever signal
 * comes: the signal then takes its course. Errors: VMCP_E_PASSPHRASE (nothing was entered, or it
 * was interrupted), VMCP_E_LIMIT, VMCP_E_FILE. */
VMCP_MUST_CHECK int vmcp_terminal_ask(const char *prompt, char *out, size_t size, size_t *ret_len,
                                      struct vmcp_error *err);

#endif
