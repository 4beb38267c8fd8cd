/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - what the server gives up before it answers the first request.
 *
 * Requests come from anyone; what they could make of a fault in this server, or in a library under
 * it, shall be little: no program run, no file but its own read, none changed but its logs, no
 * connection made, no way to more rights. Everything is open by then: listening sockets, logs,
 * keys. Reloads go on working inside (privileges.h, seccomp.h, landlock.h).
 */
#ifndef SRV_SANDBOX_H
#define SRV_SANDBOX_H

#include <stdbool.h>

#include "lib/error.h"
#include "lib/keyring.h"
#include "settings.h"

/* Builds with sanitizers have none unless asked: the search for leaks at the end needs what the
 * sandbox takes away. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SRV_SANDBOX_DEFAULT "off"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SRV_SANDBOX_DEFAULT "off"
#endif
#endif
#ifndef SRV_SANDBOX_DEFAULT
#define SRV_SANDBOX_DEFAULT "on"
#endif

/* What is in force. */
struct srv_sandbox {
    bool seccomp;
    int landlock; /* its version; 0: none */
};

/* Enter it as --sandbox says, and drop the last privileges either way. `control` is the control
 * socket's path, or NULL; `notify` is http_notify_open()'s. Keys of `ring` in a token or a TPM turn
 * it off, with a warning: their libraries load modules and talk to devices whenever they sign. Says
 * on standard error what is in force. Before any thread is made. Errors: VMCP_E_INTERNAL. */
VMCP_MUST_CHECK int srv_sandbox_enter(const struct srv_settings *settings,
                                      const struct vmcp_keyring *ring, const char *control,
                                      int notify, struct srv_sandbox *ret, struct vmcp_error *err);

/* For --check: print what would be in force, with the same warnings, and enter nothing. */
VMCP_MUST_CHECK int srv_sandbox_check(const struct srv_settings *settings,
                                      const struct vmcp_keyring *ring, const char *control,
                                      struct vmcp_error *err);

#endif
