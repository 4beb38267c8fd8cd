/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - the access token of a run, whatever source it comes from (source.h).
 *
 * A source is chosen once, by what the operator said; there is no falling from one to another. A
 * token lives in memory only, is asked for again when less than 225 s of it are left (the metadata
 * server caches its own until four minutes before the end), and once after a 401. Threads share
 * one: while one of them asks, the others wait.
 */
#ifndef LAUNCH_TOKEN_H
#define LAUNCH_TOKEN_H

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "source.h"

struct launch_token;

/* Takes the source in every case. */
VMCP_MUST_CHECK int launch_token_new(struct launch_source *source, struct launch_token **ret,
                                     struct vmcp_error *err);
void launch_token_free(struct launch_token *token);

/* Write the access token into `out` (emptied first; wipe it), good for at least 225 s where the
 * source gives that. At `end` (launch_uptime_ms()) asking for one has to be over. `refused` is one
 * that was answered with 401 (NULL: none): if it is still the one that is kept, a fresh one is
 * fetched. Errors: VMCP_E_CREDENTIALS, VMCP_E_NETWORK, those of files, each naming the source. */
VMCP_MUST_CHECK int launch_token_get(struct launch_token *token, const char *refused, int64_t end,
                                     struct vmcp_buf *out, struct vmcp_error *err);

/* For people: which credential it is. */
const char *launch_token_name(const struct launch_token *token);

#define auto_token VMCP_AUTO(launch_token_auto_)
VMCP_DEFINE_AUTO(launch_token_auto_, struct launch_token *, launch_token_free)

#endif
