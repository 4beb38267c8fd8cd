/* SPDX-License-Identifier: Apache-2.0 */
/* env.h - the environment that points clients of Google Cloud at this emulator.
 *
 * One list for everybody: `gce-emulator env` prints it with the host's addresses, and a VM driver
 * gives it to a guest with the addresses that the guest sees.
 *
 *     auto_env char **env = NULL;
 *     int rc = emu_env_list("169.254.169.254:80", "http://169.254.169.252", "demo-project",
 *                           "us-central1-a", &env, &err);
 */
#ifndef EMU_ENV_H
#define EMU_ENV_H

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/error.h"

/* Make the list. `metadata_addr_port` is ADDR:PORT (or ADDR for port 80), `api_origin` is
 * http://ADDR:PORT without a trailing slash; `project` and `zone` may be NULL, their variables are
 * then left out. *ret is a new NULL-terminated array of new "NAME=VALUE" strings,
 * emu_env_free(). */
VMCP_MUST_CHECK int emu_env_list(const char *metadata_addr_port, const char *api_origin,
                                 const char *project, const char *zone, char ***ret,
                                 struct vmcp_error *err);

void emu_env_free(char **env);

/* The same list as lines that a POSIX shell takes: export NAME='VALUE'. */
void emu_env_print(char *const *env, struct vmcp_buf *out);

#define auto_env VMCP_AUTO(emu_env_auto_)
VMCP_DEFINE_AUTO(emu_env_auto_, char **, emu_env_free)

#endif
