/* SPDX-License-Identifier: Apache-2.0 */
/* curl.h - libcurl, loaded when it is first needed.
 *
 * With its thirty libraries libcurl costs a process more than all else that `vmcp verify` does, and
 * most verbs never ask a server anything. So no client calls it by name: they call through a table
 * whose types are those of libcurl's own prototypes.
 *
 *     int rc = http_curl_load(err);
 *     if (rc == 0)
 *         handle = http_curl.easy_init();
 */
#ifndef HTTP_CURL_H
#define HTTP_CURL_H

#include <curl/curl.h>

#include "lib/error.h"

/* X(name without curl_): the functions that the clients use. */
#define HTTP_CURL_FUNCTIONS(X) \
    X(easy_cleanup)            \
    X(easy_getinfo)            \
    X(easy_header)             \
    X(easy_init)               \
    X(easy_perform)            \
    X(easy_reset)              \
    X(easy_setopt)             \
    X(easy_strerror)           \
    X(free)                    \
    X(global_init)             \
    X(slist_append)            \
    X(slist_free_all)          \
    X(url)                     \
    X(url_cleanup)             \
    X(url_get)                 \
    X(url_set)

struct http_curl {
#define HTTP_CURL_MEMBER(name) __typeof__(curl_##name) *name;
    HTTP_CURL_FUNCTIONS(HTTP_CURL_MEMBER)
#undef HTTP_CURL_MEMBER
};

/* Written once, by the first http_curl_load(); for those that saw it succeed. */
extern struct http_curl http_curl;

/* Load libcurl and initialise it. From any thread, as often as one likes; what came out the first
 * time stays. Errors: VMCP_E_FILE, where it is not installed or is too old. */
VMCP_MUST_CHECK int http_curl_load(struct vmcp_error *err);

#endif
