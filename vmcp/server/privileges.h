/* SPDX-License-Identifier: Apache-2.0 */
/* privileges.h - whose rights the server works with.
 *
 * They go in two steps. The first comes before any file is opened, so that files are read as they
 * will be at each reload; a server started as root keeps until the second what it takes to listen
 * on a port below 1024, and nothing else.
 *
 *     srv_privileges_lower("vmcpd", &err)     then load, open logs, listen
 *     srv_privileges_drop(&err)               then serve
 */
#ifndef SRV_PRIVILEGES_H
#define SRV_PRIVILEGES_H

#include "lib/error.h"

/* No core dumps from here on, and, where `user` is not NULL, become that user with their groups.
 * Root alone can become another one. Errors: VMCP_E_USAGE for a user that is not there or may not
 * be taken, VMCP_E_INTERNAL where the kernel refuses. Before any thread is made. */
VMCP_MUST_CHECK int srv_privileges_lower(const char *user, struct vmcp_error *err);

/* Give up all capabilities; who is root still keeps those to read and write files of others.
 * Before any thread is made. Errors: VMCP_E_INTERNAL. */
VMCP_MUST_CHECK int srv_privileges_drop(struct vmcp_error *err);

/* Say in a failure to read a file as whom it was read, if srv_privileges_lower() was given `user`
 * (NULL: it was not). */
void srv_privileges_explain(const char *user, struct vmcp_error *err);

#endif
