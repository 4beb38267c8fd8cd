/* SPDX-License-Identifier: Apache-2.0 */
#include "head.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "lib/limits.h"

static const char hidden[] = "a NUL byte, or a line that goes on in the next, in the headers";

struct walk {
    const char *end; /* of the last part: its NUL */
    unsigned hosts;
    unsigned lengths; /* Content-Length headers so far */
    bool has_coding;  /* Transfer-Encoding */
    const char *fault;
};

/* RFC 9110, section 5.6.2 */
static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i], letter = c | 0x20;
        bool common = (letter >= 'a' && letter <= 'z') || c == '-' || (c >= '0' && c <= '9');
        if (!common && (c == 0 || !strchr("!#$%&'*+.^_`|~", c)))
            return false;
    }
    return len > 0;
}

/* Two parts of a line or of two: between them stand only the bytes of `filler`, and at most `most`
 * of them (0: any number; a line ends with CR LF or LF, both made NUL). */
static bool are_neighbours(const char *end, const char *next, size_t most, const char *filler)
{
    uintptr_t from = (uintptr_t)end, to = (uintptr_t)next;
    if (to <= from || to - from > HTTP_POOL_MAX || (most && to - from > most))
        return false;
    for (const char *p = end + 1; p < next; p++)
        if (*p && !strchr(filler, *p))
            return false;
    return true;
}

/* RFC 9110, section 5.5. A lone CR above all: to some it ends the line (RFC 9112, section 2.2). */
static bool has_control(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 127)
            return true;
    return false;
}

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len,
                            const char *value, size_t value_len)
{
    struct walk *walk = arg;
    (void)kind;
    if (!value || !are_neighbours(walk->end, key, 2, "") ||
        !are_neighbours(key + key_len, value, 0, " \t"))
        walk->fault = hidden;
    else if (!is_token(key, key_len))
        walk->fault = "a header whose name is not a token";
    else if (has_control(value, value_len))
        walk->fault = "a control character, or a lone CR, in a header's value";
    else if (key_len == 4 && strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0 && walk->hosts++ > 0)
        walk->fault = "more than one Host header";
    else if (key_len == 14 && strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 &&
             walk->lengths++ > 0) /* RFC 9112, section 6.3: whose bytes would be whose? */
        walk->fault = "more than one Content-Length header";
    walk->has_coding |= key_len == 17 && strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    if (!walk->fault && walk->has_coding && walk->lengths > 0) /* the same question */
        walk->fault = "both Content-Length and Transfer-Encoding";
    walk->end = value + value_len;
    return walk->fault ? MHD_NO : MHD_YES;
}

const char *http_head_fault(struct MHD_Connection *connection, const char *method, const char *uri,
                            size_t uri_len, const char *version)
{
    struct walk walk = {.end = version + strlen(version)};
    uintptr_t from = (uintptr_t)uri + uri_len + 1, to = (uintptr_t)version;
    if (to > from && to < from + HTTP_POOL_MAX)
        return "a NUL byte in the request line";
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &walk);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!walk.fault && info && !are_neighbours(walk.end, method + info->header_size, 4, ""))
        walk.fault = hidden;
    return walk.fault;
}
