/* SPDX-License-Identifier: Apache-2.0 */
/* compute.h - the Compute Engine API, v1: authenticated calls with retries.
 *
 * Tried again, with growing and jittered pauses, is what can succeed later: no answer, 429, 5xx,
 * 403 for a rate limit, 400 resourceNotReady, 409 resourceInUse. A 401 gets one fresh token. So
 * only calls that may be repeated are made here: reads, and writes with a requestId.
 *
 *     auto_reply struct launch_reply reply = {0};
 *     int rc = launch_compute_call(compute, "GET", path, NULL, 0, &reply, &err);
 *     if (rc == 0)
 *         rc = launch_reply_check(compute, &reply, &err);
 */
#ifndef LAUNCH_COMPUTE_H
#define LAUNCH_COMPUTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "credentials/token.h"
#include "destination.h"
#include "http/client.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "report.h"

struct launch_compute {
    struct http_client *http;                /* borrowed */
    struct launch_token *token;              /* borrowed */
    const struct launch_destinations *rules; /* borrowed */
    struct launch_report *report;            /* borrowed; pauses and advice are told there */
    const char *project;                     /* borrowed, checked */
    char base[512];                          /* ends in a slash */
    int patience;                            /* seconds for one call with its retries */
};

/* Work out the base URL (--api-endpoint or the universe's) and check it as a destination. */
VMCP_MUST_CHECK int launch_compute_base(struct launch_compute *compute, struct vmcp_error *err);

struct launch_reply {
    long status;
    json_t *json;      /* an object, owned; NULL if the body is none */
    char reason[64];   /* of the first error: "notFound", "alreadyExists", …; "" */
    char message[400]; /* of the error, cleaned; "" */
    bool repeated;     /* an earlier try of this call may have been carried out */
};

/* One call to `path` below the base. Success is any final status. Errors: VMCP_E_NETWORK,
 * VMCP_E_TIMEOUT (as VMCP_E_NETWORK), VMCP_E_CREDENTIALS and http_client_do()'s others: then
 * nothing is known of what the server did. `timeout` is for one exchange, in seconds (0: 60, or
 * patience). */
VMCP_MUST_CHECK int launch_compute_call(const struct launch_compute *compute, const char *method,
                                        const char *path, const char *body, size_t body_len,
                                        int timeout, struct launch_reply *ret,
                                        struct vmcp_error *err);

/* 0 for 2xx with a JSON object; else VMCP_E_CREDENTIALS (401) or VMCP_E_API, in Google's words;
 * what may help is told. */
VMCP_MUST_CHECK int launch_reply_check(const struct launch_compute *compute,
                                       const struct launch_reply *reply, struct vmcp_error *err);

/* Is it an error of the API's own? What stands in front of it answers 4xx and 5xx too. */
bool launch_reply_is_error(const struct launch_reply *reply);
/* Does the API say that it is not there? */
bool launch_reply_is_absence(const struct launch_reply *reply);

/* GET an object. *ret is a new reference; NULL with success where the API says 404. */
VMCP_MUST_CHECK int launch_compute_get(const struct launch_compute *compute, const char *path,
                                       json_t **ret, struct vmcp_error *err);

void launch_reply_clear(struct launch_reply *reply);
#define auto_reply VMCP_AUTO(launch_reply_clear)

#endif
