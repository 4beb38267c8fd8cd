/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what `vmcpd` does besides serving. */
#ifndef SRV_VERBS_H
#define SRV_VERBS_H

#include "lib/error.h"

/* `vmcpd reload`: ask the running server for a reload, wait, print what was wrong. Returns the exit
 * code: 0, 1 where the reload failed, 2 for a wrong command line, 4 and 8 where no server
 * answered. */
int srv_verb_reload(int argc, char **argv);

/* Is `word`, the first of the command line, a mistyped verb? Then VMCP_E_USAGE, which names it. */
VMCP_MUST_CHECK int srv_verb_check(const char *word, struct vmcp_error *err);

#endif
