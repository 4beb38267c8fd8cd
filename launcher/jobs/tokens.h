/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.h - the tokens of all jobs, each kept until it ends: access tokens by account and scope,
 * identity tokens by account and audience.
 *
 * A job that names an account gets that account's token or none: where the credential is another's,
 * it is impersonated.
 */
#ifndef LAUNCH_TOKENS_H
#define LAUNCH_TOKENS_H

#include "credentials/adc.h"
#include "credentials/token.h"
#include "lib/error.h"
#include "lib/job.h"
#include "settings.h"

struct launch_tokens;

/* All borrowed; `purpose` has rules, iam, metadata and self_signed, and stands for as long. */
VMCP_MUST_CHECK int launch_tokens_new(const struct launch_settings *settings,
                                      const struct launch_metadata *metadata,
                                      const struct launch_purpose *purpose,
                                      struct launch_tokens **ret, struct vmcp_error *err);
void launch_tokens_free(struct launch_tokens *tokens);

/* The token that a job wants for `uri` (expanded; the audience where the job names none), into
 * `bearer`; it is sent to `url`, for whose origin a self-signed one is. `refused` and `end` as for
 * launch_token_get(). From any thread. Errors: VMCP_E_CREDENTIALS, those of credential files and of
 * launch_token_get(). */
VMCP_MUST_CHECK int launch_tokens_get(struct launch_tokens *tokens, const struct vmcp_job *job,
                                      const char *uri, const char *url, const char *refused,
                                      int64_t end, struct vmcp_buf *bearer, struct vmcp_error *err);

#endif
