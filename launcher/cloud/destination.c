/* SPDX-License-Identifier: Apache-2.0 */
#include "destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/name.h"

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyz0123456789.-"
#define PATH_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_~%:@/" HOST_CHARS

static int malformed(const char *url, const char *what, struct vmcp_error *err)
{
    (void)url; /* not shown: it may hold a password */
    return vmcp_fail(err, VMCP_E_URL_MALFORMED,
                     "%s in a URL that credentials would go to; https://host[:port]/path is wanted",
                     what);
}

/* The host at `s`; *ret_rest is what follows it. */
static int parse_host(const char *url, const char *s, struct launch_origin *o,
                      const char **ret_rest, struct vmcp_error *err)
{
    struct in6_addr six;
    bool bracketed = *s == '[';
    size_t len = bracketed ? strcspn(++s, "]") : strspn(s, HOST_CHARS);
    if (len == 0 || len >= sizeof(o->host) || (bracketed && s[len] != ']'))
        return malformed(url, "no lower-case host", err);
    memcpy(o->host, s, len);
    o->host[len] = '\0';
    if (bracketed && inet_pton(AF_INET6, o->host, &six) != 1)
        return malformed(url, "no IPv6 address between the brackets", err);
    if (!bracketed && (o->host[0] == '.' || o->host[0] == '-' || strstr(o->host, "..") ||
                       o->host[len - 1] == '.'))
        return malformed(url, "a host with a dot too many", err);
    *ret_rest = s + len + (bracketed ? 1 : 0);
    return 0;
}

int launch_origin_parse(const char *url, struct launch_origin *ret, struct vmcp_error *err)
{
    struct launch_origin o = {0};
    const char *rest = NULL;
    o.https = strncmp(url, "https://", 8) == 0;
    if (!o.https && strncmp(url, "http://", 7) != 0)
        return malformed(url, "no http:// or https://", err);
    int rc = parse_host(url, url + (o.https ? 8 : 7), &o, &rest, err);
    if (rc < 0)
        return rc;
    o.port = o.https ? 443 : 80;
    if (*rest == ':') {
        size_t digits = strspn(++rest, "0123456789");
        o.port = digits >= 1 && digits <= 5 ? atoi(rest) : 0;
        if (o.port < 1 || o.port > 65535)
            return malformed(url, "no port after the colon", err);
        rest += digits;
    }
    if (*rest && (*rest != '/' || rest[strspn(rest, PATH_CHARS)]))
        return malformed(url, "a user, query, fragment or odd character", err);
    *ret = o;
    return 0;
}

bool launch_origin_is_local(const struct launch_origin *origin)
{
    struct in_addr four;
    struct in6_addr six;
    if (strcmp(origin->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, origin->host, &four) == 1) {
        uint32_t a = ntohl(four.s_addr);
        return a >> 24 == 127 || a >> 16 == 0xa9fe; /* 169.254.0.0/16, RFC 3927 */
    }
    if (inet_pton(AF_INET6, origin->host, &six) == 1) /* fe80::/64, RFC 4291, section 2.5.6 */
        return IN6_IS_ADDR_LOOPBACK(&six) || memcmp(&six, "\xfe\x80\0\0\0\0\0\0", 8) == 0;
    return false;
}

static bool same(const struct launch_origin *a, const struct launch_origin *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool under(const char *host, const char *universe)
{
    size_t h = strlen(host), u = strlen(universe);
    if (h < u || strcmp(host + (h - u), universe) != 0)
        return false;
    return h == u || host[h - u - 1] == '.';
}

int launch_universe_check(const char *universe, struct vmcp_error *err)
{
    const char *dot = strrchr(universe, '.');
    if (vmcp_domain_check(universe, strlen(universe), NULL) == 0 && dot && dot[1] >= 'a' &&
        dot[1] <= 'z')
        return 0;
    return vmcp_fail(err, VMCP_E_CREDENTIALS,
                     "the universe domain is not one: googleapis.com, or another host name of at "
                     "least two labels, is wanted");
}

/* An endpoint that the operator named (NULL: none). */
static int check_named(const char *url, const char *option, bool insecure, struct vmcp_error *err)
{
    struct launch_origin to;
    if (!url)
        return 0;
    int rc = launch_origin_parse(url, &to, err);
    if (rc < 0)
        return vmcp_error_locate(err, option);
    if (!to.https && !launch_origin_is_local(&to) && !insecure)
        return vmcp_fail_at(err, VMCP_E_PLAIN_HTTP, option,
                            "a token would go to %s over plain http; that is done on loopback and "
                            "link-local only, or with --insecure-api",
                            to.host);
    return 0;
}

int launch_destinations_check(const struct launch_destinations *rules, struct vmcp_error *err)
{
    int rc = check_named(rules->api, "--api-endpoint", rules->insecure_api, err);
    return rc < 0
               ? rc
               : check_named(rules->token_endpoint, "--token-endpoint", rules->insecure_api, err);
}

/* The origin of a rule's own URL, where there is one and it is the destination's. */
static bool is_origin_of(const char *url, const struct launch_origin *origin)
{
    struct launch_origin o;
    return url && launch_origin_parse(url, &o, NULL) == 0 && same(&o, origin);
}

int launch_destination_check(const struct launch_destinations *rules, const char *url,
                             struct vmcp_error *err)
{
    struct launch_origin to;
    int rc = launch_destinations_check(rules, err);
    if (rc < 0)
        return rc;
    rc = launch_origin_parse(url, &to, err);
    if (rc < 0)
        return rc;
    if (to.https && to.port == 443 && under(to.host, rules->universe))
        return 0;
    if (is_origin_of(rules->api, &to) || is_origin_of(rules->token_endpoint, &to))
        return 0;
    return vmcp_fail(err, VMCP_E_CREDENTIALS,
                     "credentials do not go to %s://%s:%d: only over https to %s and hosts under "
                     "it, or to --api-endpoint (--token-endpoint is the exception)",
                     to.https ? "https" : "http", to.host, to.port, rules->universe);
}
