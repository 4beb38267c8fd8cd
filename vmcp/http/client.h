/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - one HTTP exchange, on libcurl, with everything bounded.
 *
 * Speaks http and https only, follows no redirect, checks certificates against the system's CAs or
 * those of SSL_CERT_FILE, keeps no more than `max_body` bytes, and uses the proxy of the usual
 * variables but never for loopback and link-local addresses or metadata.google.internal.
 *
 *     struct http_exchange ex = {.url = url, .accept = "application/jose", .max_body = 1 << 20};
 *     auto_response struct http_response r = {0};
 *     int rc = http_client_do(client, &ex, &r, &err);
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/error.h"

struct http_client; /* one libcurl handle: keeps connections alive; used by one thread at a time */

VMCP_MUST_CHECK int http_client_new(struct http_client **ret, struct vmcp_error *err);
void http_client_free(struct http_client *client);

struct http_exchange {
    const char *method;       /* NULL: GET */
    const char *url;          /* http or https, no userinfo */
    const char *accept;       /* NULL: none sent */
    const char *content_type; /* of the body */
    const char *body;         /* NULL: none */
    size_t body_len;
    const char *bearer;         /* an access token for Authorization, or NULL; never logged */
    const char *const *headers; /* further "Name: value" lines, NULL-terminated; NULL: none */
    const char *ca_file;        /* PEM of the CAs to trust instead of the system's; NULL: those */
    const char *cert_file;      /* PEM of a client certificate with its chain; NULL: none */
    const char *key_file;       /* PEM of its private key */
    const char *unix_socket;    /* connect here, whatever the URL's host is; NULL: there */
    size_t max_body;            /* bytes of an answer; 0: 1 MiB */
    int connect_timeout_ms;     /* 0: 10 s */
    int total_timeout_ms;       /* 0: 30 s */
    int stall_timeout_s;        /* no byte for so long is a time-out; 0: 15 s */
    /* On a connection of its own: on a kept one that turns out to be dead libcurl sends a request
     * a second time by itself, and nobody would know that the first may have arrived. */
    bool send_once;
    bool direct;      /* by way of no proxy, whatever the environment says */
    bool files_given; /* messages may name --cacert, --client-cert and --client-key */
};

struct http_response {
    long status;
    char content_type[96]; /* the media type in lower case, without parameters */
    int retry_after;       /* seconds; -1: the header was not there, or is none */
    int64_t date; /* the other side's clock (RFC 9110, section 6.6.1), seconds since 1970; 0: it did
                     not say */
    struct vmcp_buf body;
    /* For errors: true if the request may have reached the other side. */
    bool maybe_sent;
};

/* Do one exchange. An answer of any status is success; *ret is then to be cleared. Errors:
 * VMCP_E_NETWORK, VMCP_E_TIMEOUT, VMCP_E_ANSWER_TOO_LARGE, VMCP_E_URL_MALFORMED, VMCP_E_FILE (the
 * CAs). A 3xx answer is VMCP_E_REDIRECT. */
VMCP_MUST_CHECK int http_client_do(struct http_client *client, const struct http_exchange *exchange,
                                   struct http_response *ret, struct vmcp_error *err);

void http_response_clear(struct http_response *response);

/* Percent-encode for a path segment, query or form value: all but the unreserved characters of
 * RFC 3986, section 2.3. New string, free(); NULL without memory. */
char *http_escape(const char *value);

#define auto_response VMCP_AUTO(http_response_clear)
#define auto_client   VMCP_AUTO(http_client_auto_)
VMCP_DEFINE_AUTO(http_client_auto_, struct http_client *, http_client_free)

#endif
