/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - access tokens: from the metadata server, or for a key file.
 *
 * A source is chosen once, by what the operator said; there is no falling from one to another. A
 * token lives in memory only, is asked for again when less than 225 s of it are left (the metadata
 * server caches its own until four minutes before the end), and once after a 401.
 */
#ifndef LAUNCH_TOKEN_H
#define LAUNCH_TOKEN_H

#include <stdbool.h>

#include "cloud/destination.h"
#include "cloud/metadata.h"
#include "http/client.h"
#include "keyfile.h"
#include "lib/auto.h"
#include "lib/error.h"

#define LAUNCH_SCOPE "https://www.googleapis.com/auth/compute"

struct launch_token;

/* From the metadata server that we run beside. `metadata` is borrowed. */
VMCP_MUST_CHECK int launch_token_metadata(const struct launch_metadata *metadata,
                                          struct launch_token **ret, struct vmcp_error *err);
/* For a key file, by the JWT bearer grant (RFC 7523). Takes what *keyfile owns; `rules` and `http`
 * are borrowed. VMCP_E_CREDENTIALS if its token_uri is none that a credential may go to. */
VMCP_MUST_CHECK int launch_token_keyfile(struct launch_keyfile *keyfile, struct http_client *http,
                                         const struct launch_destinations *rules,
                                         struct launch_token **ret, struct vmcp_error *err);
void launch_token_free(struct launch_token *token);

/* The access token, good for at least 225 s where the source gives that; `fresh` forgets the one
 * that was just refused. Borrowed until the next call. Errors: VMCP_E_CREDENTIALS, VMCP_E_NETWORK,
 * each naming the source. */
VMCP_MUST_CHECK int launch_token_get(struct launch_token *token, bool fresh, const char **ret,
                                     struct vmcp_error *err);

/* For people: "the metadata server", "the key of EMAIL". */
const char *launch_token_name(const struct launch_token *token);

#define auto_token VMCP_AUTO(launch_token_auto_)
VMCP_DEFINE_AUTO(launch_token_auto_, struct launch_token *, launch_token_free)

#endif
