/* SPDX-License-Identifier: Apache-2.0 */
#include "secretscan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gunzip.h"
#include "lib/buf.h"

enum {
    LAYERS = 2,
    LAYER_MAX = 1024 * 1024, /* bytes of one unpacked layer */
    LABEL_MAX = 80,          /* of a PEM block */
    BASE64_MIN = 24,         /* characters: a shorter run holds no key and no label */
    GZIP_TRIES = 8
};

static const char *scan(const char *text, size_t len, int layers);

static const char *find(const char *text, const char *end, const char *what)
{
    return text && text < end ? memmem(text, (size_t)(end - text), what, strlen(what)) : NULL;
}

/* "-----BEGIN … PRIVATE KEY-----" (RFC 7468, section 2). */
static bool has_pem(const char *text, const char *end)
{
    static const char begin[] = "-----BEGIN ", last[] = "PRIVATE KEY";
    for (const char *p = text; (p = find(p, end, begin));) {
        p += strlen(begin);
        const char *stop = p + LABEL_MAX < end ? p + LABEL_MAX : end;
        const char *dashes = find(p, stop, "-----");
        size_t len = strlen(last);
        if (dashes && (size_t)(dashes - p) >= len && memcmp(dashes - len, last, len) == 0)
            return true;
    }
    return false;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

/* "NAME" : "something" */
static bool has_member(const char *text, const char *end, const char *quoted)
{
    for (const char *p = text; (p = find(p, end, quoted));) {
        p = skip_space(p + strlen(quoted), end);
        if (p >= end || *p != ':')
            continue;
        p = skip_space(p + 1, end);
        if (p + 1 < end && p[0] == '"' && p[1] != '"')
            return true;
    }
    return false;
}

static const char *scan_plain(const char *text, const char *end)
{
    if (has_pem(text, end))
        return "a PEM private key";
    if (has_member(text, end, "\"private_key\""))
        return "a JSON member private_key";
    if (has_member(text, end, "\"refresh_token\""))
        return "a JSON member refresh_token";
    if (has_member(text, end, "\"client_secret\""))
        return "a JSON member client_secret";
    return NULL;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape sequence of JSON at `p` (behind the backslash). Returns the characters taken. What is
 * not ASCII cannot be part of what is looked for, and becomes a `?`. */
static size_t unescape(const char *p, const char *end, struct vmcp_buf *out)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *at = *p ? strchr(from, *p) : NULL;
    if (*p == 'u' && end - p >= 5) {
        int value = 0;
        for (int i = 1; i <= 4; i++)
            value = hex(p[i]) < 0 || value < 0 ? -1 : value * 16 + hex(p[i]);
        vmcp_buf_addc(out, value >= 0 && value < 0x80 ? (char)value : '?');
        return value >= 0 ? 5 : 1;
    }
    vmcp_buf_addc(out, at ? to[at - from] : *p);
    return 1;
}

static const char *scan_escaped(const char *text, const char *end, int layers)
{
    auto_secret_buf struct vmcp_buf plain = VMCP_BUF(LAYER_MAX);
    if (!memchr(text, '\\', (size_t)(end - text)))
        return NULL;
    for (const char *p = text; p < end;) {
        if (*p != '\\' || p + 1 == end)
            vmcp_buf_addc(&plain, *p++);
        else
            p += 1 + unescape(p + 1, end, &plain);
    }
    return plain.data ? scan(plain.data, plain.len, layers) : NULL;
}

/* Value of a character of base64 or base64url; -1 for others. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Decode the characters of a run, line ends left out, from the `skip`th on. */
static void decode(const char *run, const char *end, size_t skip, struct vmcp_buf *out)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    for (; run < end; run++) {
        int v = sextet(*run);
        if (v < 0)
            continue;
        if (skip) {
            skip--;
            continue;
        }
        acc = (acc << 6 | (uint32_t)v) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            vmcp_buf_addc(out, (char)(uint8_t)(acc >> bits));
        }
    }
}

/* Where a run of base64 ends; it may be folded into (indented) lines. */
static const char *run_end(const char *p, const char *end, size_t *ret_chars)
{
    size_t chars = 0;
    while (p < end) {
        if (sextet(*p) >= 0) {
            chars++;
            p++;
            continue;
        }
        const char *next = skip_space(p, end);
        bool folded = next > p && memchr(p, '\n', (size_t)(next - p));
        if (!folded || next == end || sextet(*next) < 0)
            break;
        p = next;
    }
    *ret_chars = chars;
    return p;
}

static const char *scan_base64(const char *text, const char *end, int layers)
{
    for (const char *p = text; p < end;) {
        size_t chars = 0;
        if (sextet(*p) < 0) { /* no run begins here: white space is walked over once */
            p++;
            continue;
        }
        const char *stop = run_end(p, end, &chars);
        /* A word may be glued to the front: each of the four alignments is tried. */
        for (size_t skip = 0; chars >= BASE64_MIN && skip < 4; skip++) {
            auto_secret_buf struct vmcp_buf plain = VMCP_BUF(LAYER_MAX);
            decode(p, stop, skip, &plain);
            const char *found = plain.data ? scan(plain.data, plain.len, layers) : NULL;
            if (found)
                return found;
        }
        p = stop;
    }
    return NULL;
}

static const char *scan_gzip(const char *text, const char *end, int layers)
{
    int tries = 0;
    for (const char *p = text; tries < GZIP_TRIES && (p = find(p, end, "\x1f\x8b\x08")); p++) {
        auto_secret_buf struct vmcp_buf plain = VMCP_BUF(LAYER_MAX);
        launch_gunzip(p, (size_t)(end - p), &plain);
        const char *found = plain.data ? scan(plain.data, plain.len, layers) : NULL;
        if (found)
            return found;
        tries++;
    }
    return NULL;
}

static const char *scan(const char *text, size_t len, int layers)
{
    const char *end = text + len;
    const char *found = scan_plain(text, end);
    if (!found && layers > 0)
        found = scan_escaped(text, end, layers - 1);
    if (!found && layers > 0)
        found = scan_gzip(text, end, layers - 1);
    if (!found && layers > 0)
        found = scan_base64(text, end, layers - 1);
    return found;
}

const char *launch_secret_find(const char *text, size_t len)
{
    return scan(text, len, LAYERS);
}
