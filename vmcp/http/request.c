/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "server_internal.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

enum { PLUS_IS_SPACE = 1, ALLOW_CONTROLS = 2, REFUSE_SLASH = 4 };

static bool byte_is_refused(unsigned char c, bool was_escaped, unsigned how)
{
    if (c == 0)
        return true;
    if ((how & REFUSE_SLASH) && was_escaped && c == '/')
        return true;
    return !(how & ALLOW_CONTROLS) && (c < ' ' || c == 127);
}

/* Percent-decode text[0, len) in place and end it with a NUL. A NUL inside would hide the rest of a
 * value from whoever reads it as a string, so it is never let through. */
static int decode(char *text, size_t len, unsigned how, size_t *ret_len, struct vmcp_error *err)
{
    size_t o = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool was_escaped = c == '%';
        if (was_escaped) {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return vmcp_fail(err, VMCP_E_REQUEST_MALFORMED,
                                 "a %% in the URL that two hex digits do not follow");
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && (how & PLUS_IS_SPACE)) {
            c = ' ';
        }
        if (byte_is_refused(c, was_escaped, how))
            return vmcp_fail(err, VMCP_E_REQUEST_MALFORMED,
                             "the byte 0x%02x is not allowed in a URL here", c);
        text[o++] = (char)c;
    }
    text[o] = '\0';
    *ret_len = o;
    return 0;
}

static int decode_param(char *pair, size_t len, unsigned how, struct http_param *ret,
                        struct vmcp_error *err)
{
    char *equals = memchr(pair, '=', len);
    size_t key_len = equals ? (size_t)(equals - pair) : len;
    char *value = equals ? equals + 1 : pair + len;
    size_t value_len = len - (size_t)(value - pair);
    int rc = decode(pair, key_len, how, &ret->key_len, err);
    if (rc == 0)
        rc = decode(value, value_len, how, &ret->value_len, err);
    ret->key = pair;
    ret->value = value;
    return rc;
}

int http_params_parse(char *text, size_t len, bool controls, struct http_param *params, size_t max,
                      size_t *ret_count, struct vmcp_error *err)
{
    unsigned how = PLUS_IS_SPACE | (controls ? ALLOW_CONTROLS : 0u);
    char *end = text + len;
    size_t count = 0;
    while (text < end) {
        char *amp = memchr(text, '&', (size_t)(end - text));
        size_t n = amp ? (size_t)(amp - text) : (size_t)(end - text);
        if (n > 0) {
            if (count == max)
                return vmcp_fail(err, VMCP_E_REQUEST_MALFORMED, "more than %zu parameters", max);
            int rc = decode_param(text, n, how, &params[count++], err);
            if (rc < 0)
                return rc;
        }
        text += n + 1;
    }
    *ret_count = count;
    return 0;
}

/* RFC 9112, section 3.2.2: an absolute-form target is to be accepted, and its host is the one that
 * counts. It is moved to the front, so that the path behind it has room for a slash of its own. The
 * path, or NULL where the target has no form of ours. */
static char *take_authority(struct http_request *req, char *target)
{
    static const char in_host[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~%!$&'()*+,;=:[]"; /* RFC 3986, 3.2.2; no user: 9110, 4.2.4 */
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    if (!scheme)
        return target[0] == '/' ? target : NULL;
    size_t len = strspn(target + scheme, in_host);
    char *path = target + scheme + len;
    if (len == 0 || (*path && *path != '/' && *path != '?'))
        return NULL;
    memmove(target, target + scheme, len);
    target[len] = '\0';
    req->host = target;
    if (*path != '/')
        *--path = '/';
    return path;
}

int http_request_split(struct http_request *req, char *target, struct vmcp_error *err)
{
    target = take_authority(req, target);
    if (!target)
        return vmcp_fail(err, VMCP_E_REQUEST_MALFORMED,
                         "the request target is neither a path nor an http URL without a user");
    char *query = strchr(target, '?');
    size_t path_len = query ? (size_t)(query - target) : strlen(target), ignored = 0;
    if (query) {
        *query++ = '\0';
        int rc = http_params_parse(query, strlen(query), false, req->params, HTTP_PARAMS_MAX,
                                   &req->param_count, err);
        if (rc < 0)
            return rc;
    }
    int rc = decode(target, path_len, REFUSE_SLASH, &ignored, err);
    if (rc == 0)
        req->path = target; /* what is no path is not shown as one */
    return rc;
}

/* Match one pattern. What {…} matched is copied into `segments`, one string after the other. */
static bool match(const char *pattern, struct http_request *req, char *segments, size_t size)
{
    const char *path = req->path;
    size_t count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        bool rest = strncmp(pattern, "{*}", 3) == 0;
        size_t len = rest ? strlen(path) : strcspn(path, "/");
        pattern = strchr(pattern, '}') + 1;
        /* "{name}:verb" and the like: a segment may end in literal text of the pattern */
        size_t tail = rest ? 0 : strcspn(pattern, "/{");
        if (tail > len || (!rest && len == tail) || count == HTTP_SEGMENTS_MAX || len >= size ||
            memcmp(path + len - tail, pattern, tail) != 0)
            return false;
        memcpy(segments, path, len - tail);
        segments[len - tail] = '\0';
        req->segments[count++] = segments;
        segments += len - tail + 1;
        size -= len - tail + 1;
        pattern += tail;
        path += len;
    }
    return *path == '\0';
}

static void add_method(char *allow, size_t size, const char *method)
{
    size_t n = strlen(allow);
    snprintf(allow + n, size - n, "%s%s%s", n ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const struct http_route *http_route_find(const struct http_route *routes, struct http_request *req,
                                         char *segments, size_t segments_size, char *ret_allow,
                                         size_t allow_size)
{
    /* RFC 9110, section 9.3.2: HEAD is GET without the content. */
    const char *method = strcmp(req->method, "HEAD") == 0 ? "GET" : req->method;
    ret_allow[0] = '\0';
    for (const struct http_route *r = routes; r->pattern; r++) {
        memset(req->segments, 0, sizeof(req->segments));
        if (!match(r->pattern, req, segments, segments_size))
            continue;
        if (strcmp(r->method, method) == 0)
            return r;
        add_method(ret_allow, allow_size, r->method);
    }
    return NULL;
}

const char *http_request_param(const struct http_request *req, const char *key)
{
    for (size_t i = 0; i < req->param_count; i++)
        if (strcmp(req->params[i].key, key) == 0)
            return req->params[i].value;
    return NULL;
}
