/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the API listener: the Compute API below /compute/v1/, and the token endpoint.
 *
 * Requests with an Origin header, or a Host that is not one of the emulator's own, are answered 403
 * and nothing else.
 */
#ifndef EMU_API_H
#define EMU_API_H

#include "cloud.h"
#include "http/server.h"

/* What the API is started with: routes, guard, errors, log. */
struct http_server_options emu_api_options(struct emu_cloud *cloud);

/* Answer a request that came inside another one: a call of the Compute API. Its path and parameters
 * are set; `reply` is to be cleared. */
void emu_api_answer(struct emu_cloud *cloud, struct http_request *req, struct http_reply *reply);

typedef void emu_handler_fn(void *app, const struct http_request *req, struct http_reply *reply);

/* Handlers that are no method of the Compute API (methods.h). `app` is a struct emu_cloud. */
emu_handler_fn emu_api_batch;     /* batch.c */
emu_handler_fn emu_api_token;     /* oauth.c */
emu_handler_fn emu_api_faults;    /* api_faults.c */
emu_handler_fn emu_api_preempt;   /* api_preempt.c */
emu_handler_fn emu_api_tokeninfo; /* oauth_tokeninfo.c */
emu_handler_fn emu_api_certs_x509, emu_api_certs_jwk, emu_api_account_x509,
    emu_api_account_jwk;                /* oauth_certs.c */
emu_handler_fn emu_api_iam_credentials; /* iam_credentials.c */

#endif
