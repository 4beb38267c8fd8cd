/* SPDX-License-Identifier: Apache-2.0 */
#include "joburi.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "jobmacro.h"
#include "name.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* RFC 3986, section 3.3 and 3.4: pchar, `/` and `?`; a percent sign is looked at by itself. */
static const char path_chars[] = LETTERS DIGITS "-._~!$&'()*+,;=:@/?%";

static int take_scheme(const char *uri, struct vmcp_joburi *u, size_t *at, struct vmcp_error *err)
{
    u->https = strncmp(uri, "https://", 8) == 0;
    if (!u->https && strncmp(uri, "http://", 7) != 0)
        return vmcp_fail(err, VMCP_E_URL_MALFORMED,
                         "a URI begins with https:// or http://, as in "
                         "https://compute.googleapis.com/compute/v1/…");
    u->port = u->https ? 443 : 80;
    *at = u->https ? 8 : 7;
    return 0;
}

/* The host's text, [from, from + len), in lower case into *u. */
static int take_host(const char *from, size_t len, bool is_v6, struct vmcp_joburi *u,
                     struct vmcp_error *err)
{
    struct in6_addr v6;
    if (len == 0 || len >= sizeof(u->host))
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, len ? "the host is too long" : "no host");
    for (size_t i = 0; i < len; i++)
        u->host[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
    if (is_v6 ? inet_pton(AF_INET6, u->host, &v6) != 1
              : vmcp_domain_check(u->host, len, NULL) < 0 || strchr(u->host, ':'))
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "this is no host's name or address");
    return 0;
}

static int take_port(const char *from, size_t len, struct vmcp_joburi *u, struct vmcp_error *err)
{
    if (len >= 1 && len <= 5 && strspn(from, DIGITS) >= len)
        u->port = (int)strtol(from, NULL, 10);
    else
        u->port = 0;
    return u->port >= 1 && u->port <= 65535
               ? 0
               : vmcp_fail(err, VMCP_E_URL_MALFORMED, "a port is 1 to 65535");
}

/* host[:port], where *at stands; *at is then behind it. */
static int take_authority(const char *uri, struct vmcp_joburi *u, size_t *at,
                          struct vmcp_error *err)
{
    const char *from = uri + *at;
    size_t len = strcspn(from, "/?#");
    const char *user = memchr(from, '@', len), *macro = strstr(from, VMCP_JOBMACRO_OPENING);
    if (macro && macro < from + len) {
        *at += (size_t)(macro - from);
        return vmcp_fail(err, VMCP_E_MACRO,
                         "a macro may not stand in the host or port: they are what was signed");
    }
    if (user)
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "a URI with a user or password in it");
    bool is_v6 = from[0] == '[';
    const char *bracket = is_v6 ? memchr(from, ']', len) : NULL;
    const char *colon =
        memchr(bracket ? bracket : from, ':', len - (size_t)((bracket ? bracket : from) - from));
    size_t host = colon ? (size_t)(colon - from) : len;
    if (is_v6 && (!bracket || bracket + 1 != from + host))
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "an IPv6 address stands in brackets");
    int rc = take_host(from + is_v6, host - 2 * (size_t)is_v6, is_v6, u, err);
    if (rc == 0 && colon) {
        rc = take_port(colon + 1, len - host - 1, u, err);
        if (rc < 0)
            *at += host + 1;
    }
    if (rc == 0)
        *at += len;
    return rc;
}

/* A stretch of plain text behind the origin. */
static int check_plain(const char *uri, size_t from, size_t to, size_t *at, struct vmcp_error *err)
{
    static const char hex[] = DIGITS "abcdefABCDEF";
    for (size_t i = from; i < to; i++) {
        *at = i;
        if (uri[i] == '#')
            return vmcp_fail(err, VMCP_E_URL_MALFORMED, "a URI with a fragment: it is never sent");
        if (!strchr(path_chars, uri[i]))
            return vmcp_fail(err, VMCP_E_URL_MALFORMED,
                             "this character is to be percent-encoded in a URI");
        if (uri[i] == '%' && (i + 2 >= to || !strchr(hex, uri[i + 1]) || !strchr(hex, uri[i + 2])))
            return vmcp_fail(err, VMCP_E_URL_MALFORMED, "a percent sign without two hex digits");
    }
    return 0;
}

/* Everything behind the origin, macros left out. */
static int check_rest(const char *uri, size_t *at, struct vmcp_error *err)
{
    struct vmcp_jobmacro m = {.kind = VMCP_JOBMACRO_UUID};
    size_t len = strlen(uri), next = *at;
    while (m.kind != VMCP_JOBMACRO_END) {
        int rc = vmcp_jobmacro_next(uri, len, &next, &m, err);
        if (rc < 0) {
            *at = next;
            return rc;
        }
        rc = check_plain(uri, m.plain_from, m.plain_to, at, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int vmcp_joburi_parse(const char *uri, struct vmcp_joburi *ret, size_t *ret_at,
                      struct vmcp_error *err)
{
    struct vmcp_joburi u = {0};
    size_t at = 0;
    int rc = take_scheme(uri, &u, &at, err);
    if (rc == 0)
        rc = take_authority(uri, &u, &at, err);
    u.origin_len = at;
    if (rc == 0)
        rc = check_rest(uri, &at, err);
    if (rc == 0)
        *ret = u;
    else if (ret_at)
        *ret_at = at;
    return rc;
}

bool vmcp_joburi_in_universe(const struct vmcp_joburi *uri, const char *universe)
{
    size_t host = strlen(uri->host), n = strlen(universe);
    return uri->https && host >= n && strcmp(uri->host + host - n, universe) == 0 &&
           (host == n || uri->host[host - n - 1] == '.');
}
