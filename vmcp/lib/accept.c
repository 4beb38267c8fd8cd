/* SPDX-License-Identifier: Apache-2.0 */
#include "accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Take the next piece of a header's value up to one of `ends`, which may also stand inside a quoted
 * string, where it ends nothing (RFC 9110, section 5.6.4). What was taken is *piece, without white
 * space around it; false at the end of the value. */
static bool next_piece(const char **rest, const char *stop, const char *ends, const char **piece,
                       size_t *ret_len)
{
    const char *p = *rest;
    bool quoted = false;
    if (!p)
        return false;
    for (; p < stop && (quoted || !strchr(ends, *p)); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < stop)
            p++;
    }
    const char *from = *rest, *to = p;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *piece = from;
    *ret_len = (size_t)(to - from);
    *rest = p < stop ? p + 1 : NULL;
    return true;
}

/* The value of a q parameter in thousandths. A malformed one is read as far as it goes; zero is
 * only what is written as zero. */
static int parse_quality(const char *text, size_t len)
{
    int value = 0, unit = 1000;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && unit == 1000)
            unit = 100;
        else if (text[i] >= '0' && text[i] <= '9' && (unit < 1000 || i == 0))
            value += unit * (text[i] - '0');
        if (text[i] != '.' && unit < 1000)
            unit /= 10;
    }
    bool is_zero = len == 0 || strcspn(text, "123456789") >= len;
    return is_zero ? 0 : value < 1 ? 1 : value > 1000 ? 1000 : value;
}

/* One element of the list: its q if it is `type`, else -1. Other parameters say nothing to us. */
static int quality_of(const char *element, size_t len, const char *type)
{
    const char *stop = element + len, *piece = NULL;
    size_t n = 0;
    if (!next_piece(&element, stop, ";", &piece, &n) || n != strlen(type) ||
        strncasecmp(piece, type, n) != 0)
        return -1;
    while (next_piece(&element, stop, ";", &piece, &n))
        if (n >= 2 && strncasecmp(piece, "q=", 2) == 0)
            return parse_quality(piece + 2, n - 2);
    return 1000;
}

int vmcp_accept_quality(const char *accept, const char *type)
{
    const char *stop = accept ? accept + strlen(accept) : NULL, *element = NULL;
    size_t len = 0;
    int best = -1;
    while (next_piece(&accept, stop, ",", &element, &len)) {
        int quality = quality_of(element, len, type);
        if (quality > best)
            best = quality;
    }
    return best;
}
