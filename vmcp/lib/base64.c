/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

static const char padded_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t vmcp_base64_encode(enum vmcp_base64 kind, const void *data, size_t len, char *out)
{
    const char *chars = kind == VMCP_BASE64_URL ? url_chars : padded_chars;
    const uint8_t *in = data;
    size_t o = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t group = (uint32_t)in[i] << 16;
        if (n > 1)
            group |= (uint32_t)in[i + 1] << 8;
        if (n > 2)
            group |= in[i + 2];
        for (size_t k = 0; k <= n; k++)
            out[o++] = chars[(group >> (18 - 6 * k)) & 63];
        for (size_t k = n + 1; k < 4 && kind == VMCP_BASE64_PADDED; k++)
            out[o++] = '=';
    }
    out[o] = '\0';
    return o;
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
