/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - ask a responder: the client's side of the protocol, for `vmcp fetch` and `vmcp-launch`.
 *
 * The caller has made an endpoint and a trust set; http_ask() makes a salt, asks, and hands the
 * answer to vmcp_answer_verify(). What comes back is good or an error.
 */
#ifndef HTTP_ASK_H
#define HTTP_ASK_H

#include <stdbool.h>

#include "client.h"
#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/error.h"
#include "lib/limits.h"
#include "lib/trust.h"

struct http_endpoint {
    enum vmcp_kind kind;             /* what is asked for */
    char *url;                       /* with a path; owned */
    char *origin;                    /* scheme://host[:port], owned */
    char host[VMCP_DOMAIN_MAX + 1];  /* lower case, no port, no trailing dot, no brackets */
    char machine[VMCP_NAME_MAX + 1]; /* of `vm=` or /vmcp/NAME in the URL, or ""; or the job's */
};

/* Check an endpoint URL (protocol.md, "The question"): http or https, no userinfo, no fragment, an
 * empty path becomes /vmcp. Plain http to anything but loopback is VMCP_E_PLAIN_HTTP unless
 * `allow_http`. `machine` (NULL: none named) must agree with the URL's own: VMCP_E_NAME_CONFLICT;
 * the one of the two that is there ends up in ret->machine. */
VMCP_MUST_CHECK int http_endpoint_parse(const char *url, const char *machine, bool allow_http,
                                        struct http_endpoint *ret, struct vmcp_error *err);
/* The same for a job: jobs are at /jobs/NAME beside /vmcp, so a path that ends in /vmcp or /jobs
 * becomes that. One that ends in /jobs/NAME names the job itself, and `job` may be NULL; any other
 * is used as it is. A URL that names a machine, or another job, is VMCP_E_NAME_CONFLICT. */
VMCP_MUST_CHECK int http_endpoint_parse_job(const char *url, const char *job, bool allow_http,
                                            struct http_endpoint *ret, struct vmcp_error *err);
/* Does the path end in /jobs/NAME? */
bool http_url_is_job(const char *url);
void http_endpoint_clear(struct http_endpoint *endpoint);
#define auto_endpoint VMCP_AUTO(http_endpoint_clear)

/* The URL to GET: the endpoint with cvm_salt, cvm_hostid (NULL: left out) and vm added. New string,
 * free(). The values were checked before (name.h). */
VMCP_MUST_CHECK int http_endpoint_question(const struct http_endpoint *endpoint, const char *salt,
                                           const char *hostid, char **ret, struct vmcp_error *err);

struct http_ask {
    const struct http_endpoint *endpoint;
    struct vmcp_trust *trust; /* thumbprints in it are resolved from the endpoint's JWK set */
    enum vmcp_format format;
    const char *domain; /* borrowed */
    const char *hostid; /* borrowed */
    const char *name;   /* version 1: what `name` must be; NULL: not checked */
    int64_t min_serial;
    int skew;                                   /* seconds */
    const char *ca_file, *cert_file, *key_file; /* as in struct http_exchange */
    const char *unix_socket;                    /* the same */
    int connect_timeout_ms, total_timeout_ms;   /* 0: client.h's defaults */
};

/* Whether asking again can help, and when. */
struct http_retry {
    bool can;  /* no answer, 429 or 5xx */
    int after; /* seconds that the responder wants to be left alone; -1: it did not say */
};

/* Ask once, with a fresh salt, and verify. *ret is a good answer. Errors: those of
 * http_client_do() and vmcp_answer_verify(); VMCP_E_RESPONDER for a status other than 200 (with the
 * problem's code and detail in the text), VMCP_E_CONTENT_TYPE. *ret_retry may be NULL. */
VMCP_MUST_CHECK int http_ask(struct http_client *client, const struct http_ask *ask,
                             struct vmcp_answer *ret, struct http_retry *ret_retry,
                             struct vmcp_error *err);

#endif
