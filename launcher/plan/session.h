/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - VMCP's "open or resume": whose VM is that?
 *
 * A VM carries `vmcp-session` = sha256$SALT$HASH: SALT is 16 random bytes, HASH is SHA-256 of the
 * salt's bytes, the domain, a NUL, the machine, a NUL and the secret, both in lower-case hex. The
 * secret itself never leaves the launcher. It prevents accidents between honest launchers; it is no
 * defence against people who may change instances in the project.
 */
#ifndef LAUNCH_SESSION_H
#define LAUNCH_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"

enum { LAUNCH_SESSION_LEN = 7 + 32 + 1 + 64 };

/* A new value for a VM that is about to be made. */
VMCP_MUST_CHECK int launch_session_make(const char *domain, const char *machine, const char *secret,
                                        char ret[static LAUNCH_SESSION_LEN + 1],
                                        struct vmcp_error *err);

/* Is `value` (as read from a VM) one of this domain, machine and secret? */
bool launch_session_fits(const char *value, const char *domain, const char *machine,
                         const char *secret);

/* May this instance (as instances.get gives it) be resumed for a machine? VMCP_E_SESSION with the
 * reason: no session, or another session, domain or machine. */
VMCP_MUST_CHECK int launch_session_check(const json_t *instance, const char *domain,
                                         const char *machine, const char *secret,
                                         struct vmcp_error *err);

/* What differs between an instance and a planned body: startup script, user data, service
 * accounts, serial. A new array of strings, empty where nothing does; NULL without memory. */
json_t *launch_session_drift(const json_t *instance, const json_t *body);

#endif
