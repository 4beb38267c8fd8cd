/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarded.h"

#include <string.h>
#include <strings.h>

bool http_trusted_contains(const struct http_trusted *trusted, const struct http_address *address)
{
    for (size_t i = 0; i < trusted->count; i++)
        if (http_cidr_contains(&trusted->items[i], address))
            return true;
    return false;
}

static void trim(const char **text, size_t *len)
{
    while (*len && (**text == ' ' || **text == '\t'))
        ++*text, --*len;
    while (*len && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
        --*len;
}

/* RFC 7239, section 4: an element is pairs with semicolons between them, and `for` names the node,
 * quoted where it has a colon or brackets. "unknown" and "_obfuscated" are no addresses. */
static bool node_of_element(const char *element, size_t len, struct http_address *ret)
{
    while (len > 0) {
        const char *semicolon = memchr(element, ';', len);
        const char *pair = element;
        size_t n = semicolon ? (size_t)(semicolon - element) : len;
        element += semicolon ? n + 1 : n;
        len -= semicolon ? n + 1 : n;
        trim(&pair, &n);
        if (n < 4 || strncasecmp(pair, "for=", 4) != 0)
            continue;
        pair += 4;
        n -= 4;
        if (n >= 2 && pair[0] == '"' && pair[n - 1] == '"') {
            pair++;
            n -= 2;
        }
        return http_address_parse(pair, n, ret);
    }
    return false;
}

/* Walk the list from its right end. */
static struct http_address walk(const struct http_trusted *trusted, const struct http_address *peer,
                                const char *list, bool is_forwarded)
{
    struct http_address client = *peer;
    size_t end = strlen(list);
    while (http_trusted_contains(trusted, &client)) {
        size_t from = end;
        while (from > 0 && list[from - 1] != ',')
            from--;
        const char *hop = list + from;
        size_t len = end - from;
        struct http_address next;
        trim(&hop, &len);
        if (!(is_forwarded ? node_of_element(hop, len, &next)
                           : http_address_parse(hop, len, &next)))
            break;
        client = next;
        if (from == 0)
            break;
        end = from - 1;
    }
    return client;
}

struct http_address http_forwarded_client(const struct http_trusted *trusted,
                                          const struct http_address *peer,
                                          const char *x_forwarded_for, const char *forwarded)
{
    if (!http_trusted_contains(trusted, peer) || (!x_forwarded_for && !forwarded))
        return *peer;
    if (!x_forwarded_for)
        return walk(trusted, peer, forwarded, true);
    struct http_address client = walk(trusted, peer, x_forwarded_for, false);
    if (!forwarded)
        return client;
    /* A proxy writes one of the two and lets the other pass as the client sent it. */
    struct http_address other = walk(trusted, peer, forwarded, true);
    return http_address_equal(&client, &other) ? client : *peer;
}
