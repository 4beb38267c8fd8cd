/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include <stdbool.h>

static const char padded_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One or two last bytes. */
static size_t encode_rest(const char *chars, bool padded, const uint8_t *in, size_t n, char *out)
{
    uint32_t group = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0);
    out[0] = chars[group >> 18];
    out[1] = chars[(group >> 12) & 63];
    if (n > 1)
        out[2] = chars[(group >> 6) & 63];
    else if (padded)
        out[2] = '=';
    if (padded)
        out[3] = '=';
    return padded ? 4 : n + 1;
}

size_t vmcp_base64_encode(enum vmcp_base64 kind, const void *data, size_t len, char *out)
{
    const char *chars = kind == VMCP_BASE64_URL ? url_chars : padded_chars;
    const uint8_t *in = data;
    char *o = out;
    for (; len >= 3; len -= 3, in += 3, o += 4) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        o[0] = chars[group >> 18];
        o[1] = chars[(group >> 12) & 63];
        o[2] = chars[(group >> 6) & 63];
        o[3] = chars[group & 63];
    }
    if (len)
        o += encode_rest(chars, kind == VMCP_BASE64_PADDED, in, len, o);
    *o = '\0';
    return (size_t)(o - out);
}

static int char_value(enum vmcp_base64 kind, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (kind == VMCP_BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (kind == VMCP_BASE64_URL ? '_' : '/'))
        return 63;
    return -1;
}

/* How many characters carry data: all, but for the padding that must be there. */
static int data_chars(enum vmcp_base64 kind, const char *text, size_t chars, size_t *ret,
                      struct vmcp_error *err)
{
    *ret = chars;
    if (kind == VMCP_BASE64_PADDED) {
        if (chars % 4)
            return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED,
                             "base64 of %zu characters: the length must be a multiple of 4", chars);
        for (int pad = 0; pad < 2 && *ret && text[*ret - 1] == '='; pad++)
            --*ret;
    }
    if (*ret % 4 == 1)
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED, "base64 ends in the middle of a byte");
    return 0;
}

int vmcp_base64_decode(enum vmcp_base64 kind, const char *text, size_t chars, uint8_t *out,
                       size_t *ret_len, struct vmcp_error *err)
{
    size_t n;
    int rc = data_chars(kind, text, chars, &n, err);
    if (rc < 0)
        return rc;
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        int v = char_value(kind, text[i]);
        if (v < 0)
            return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED, "character %zu is not one of base64%s",
                             i + 1, kind == VMCP_BASE64_URL ? "url without padding" : "");
        acc = (acc << 6 | (uint32_t)v) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[o++] = (uint8_t)(acc >> bits);
        }
    }
    if (acc & ((1u << bits) - 1))
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED,
                         "base64 with bits set after its last byte: not canonical");
    *ret_len = o;
    return 0;
}

void vmcp_hex_encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}
