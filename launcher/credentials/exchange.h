/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one credential traded for a token at an endpoint (RFC 6749, section 5), with retries
 * and with errors that say what to do. */
#ifndef LAUNCH_EXCHANGE_H
#define LAUNCH_EXCHANGE_H

#include <jansson.h>
#include <stdint.h>

#include "cloud/destination.h"
#include "http/client.h"
#include "lib/buf.h"
#include "lib/error.h"

struct launch_post {
    const char *url;
    const char *content_type, *body;
    const char *bearer; /* NULL: none */
    int64_t end;        /* launch_uptime_ms() at which it has to be over, with its retries */
};

/* Milliseconds for one request that has to be over at `end`: a second at least, `most` at most. */
int launch_time_left(int64_t end, int most);

/* Add `&key=value` (or `key=value` first) to a form, escaped. */
void launch_form_add(struct vmcp_buf *form, const char *key, const char *value);

/* POST to `post->url`, which must be a place that a credential may go to. *ret is the object that a
 * 200 answered: a new reference, wipe it. *ret_date is the endpoint's clock (0: it did not say).
 * Tried again while that can help. Errors: VMCP_E_CREDENTIALS for a refusal, in the endpoint's
 * words and with what may mend it; VMCP_E_NETWORK, VMCP_E_URL_MALFORMED. */
VMCP_MUST_CHECK int launch_exchange(struct http_client *http,
                                    const struct launch_destinations *rules,
                                    const struct launch_post *post, json_t **ret, int64_t *ret_date,
                                    struct vmcp_error *err);

#endif
