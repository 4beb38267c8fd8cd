/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    const char *name;
    const char *meaning;
    int http;
    int exit;
};

static const struct code_row rows[VMCP_CODE_COUNT] = {
    [VMCP_OK] = {"ok", "done", 200, VMCP_EXIT_DONE},
#define VMCP_CODE_ROW(symbol, name, http, exit, meaning) \
    [VMCP_E_##symbol] = {name, meaning, http, exit},
    VMCP_CODES(VMCP_CODE_ROW)
#undef VMCP_CODE_ROW
};

static const struct code_row *row(enum vmcp_code code)
{
    if ((int)code < 0 || code >= VMCP_CODE_COUNT)
        return &rows[VMCP_E_INTERNAL];
    return &rows[code];
}

const char *vmcp_code_name(enum vmcp_code code)
{
    return row(code)->name;
}

const char *vmcp_code_meaning(enum vmcp_code code)
{
    return row(code)->meaning;
}

int vmcp_code_http(enum vmcp_code code)
{
    return row(code)->http;
}

int vmcp_code_exit(enum vmcp_code code)
{
    return row(code)->exit;
}

/* Bytes of the UTF-8 character at `s` (RFC 3629, section 4), or 0 if there is none. */
static size_t character(const unsigned char *s)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* too long a form, a surrogate, beyond U+10FFFF */
    return len;
}

/* Does the character at `s` steer what is shown, and shows nothing itself? C0, DEL and C1; and what
 * ends lines or turns the direction of writing, so that a text reads as another than it is: U+061C,
 * U+200E and F, U+2028 to E, U+2066 to 9. */
static bool is_control(const unsigned char *s)
{
    if (s[0] < ' ' || s[0] == 127 || (s[0] == 0xc2 && s[1] < 0xa0) ||
        (s[0] == 0xd8 && s[1] == 0x9c))
        return true;
    if (s[0] != 0xe2)
        return false;
    return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
           (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

static const char pin_attribute[] = "pin-value=";

/* Does a PIN's value end at `s`? By RFC 7512, section 2.3, a `&` or `;` ends it; and so do words of
 * ours that follow it. Other characters may be a PIN's, of somebody who does not write URIs well.
 */
static bool ends_pin(const char *s)
{
    return *s == '\0' || *s == '&' || *s == ';' || (strchr(":,`'\"", *s) && s[1] == ' ');
}

/* A token's PIN may stand in a key's URI (RFC 7512), and that where no key is wanted: nobody has to
 * read it. */
static void mask_pins(char *text)
{
    for (char *at = text; (at = strcasestr(at, pin_attribute)) != NULL;) {
        at += sizeof(pin_attribute) - 1;
        char *end = at;
        while (!ends_pin(end))
            end++;
        if (end == at)
            continue;
        *at++ = '*';
        memmove(at, end, strlen(end) + 1);
    }
}

void vmcp_text_clean(char *text)
{
    mask_pins(text);
    for (unsigned char *s = (unsigned char *)text; *s;) {
        size_t len = character(s);
        if (len > 0 && !is_control(s)) {
            s += len;
            continue;
        }
        for (size_t n = len ? len : 1; n > 0; n--)
            *s++ = '?';
    }
}

/* A path that is too long keeps its end: the file's name says more than the root. What has a PIN in
 * it does not, lest a part of the PIN is what stays. */
static void set_where(struct vmcp_error *err, const char *where)
{
    size_t len = where ? strlen(where) : 0;
    size_t room = sizeof(err->where) - 1;
    bool cut = len > room && !strcasestr(where, pin_attribute);
    const char *from = cut ? where + (len - room) : where;
    snprintf(err->where, sizeof(err->where), "%s", from ? from : "");
    vmcp_text_clean(err->where);
}

int vmcp_vfail_at(struct vmcp_error *err, enum vmcp_code code, const char *where, const char *fmt,
                  va_list args)
{
    if (err) {
        char text[sizeof(err->text)];
        /* Formatted aside first: an argument may be the error's own text. */
        vsnprintf(text, sizeof(text), fmt, args);
        vmcp_text_clean(text);
        err->code = code;
        memcpy(err->text, text, sizeof(text));
        if (where != err->where)
            set_where(err, where);
    }
    return -(int)code;
}

int vmcp_fail(struct vmcp_error *err, enum vmcp_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int rc = vmcp_vfail_at(err, code, "", fmt, args);
    va_end(args);
    return rc;
}

int vmcp_fail_at(struct vmcp_error *err, enum vmcp_code code, const char *where, const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    int rc = vmcp_vfail_at(err, code, where, fmt, args);
    va_end(args);
    return rc;
}

int vmcp_error_locate(struct vmcp_error *err, const char *where)
{
    if (!err)
        return -(int)VMCP_E_INTERNAL;
    if (!err->where[0])
        set_where(err, where);
    return -(int)err->code;
}

int vmcp_error_option(struct vmcp_error *err, const char *option, const char *value)
{
    if (!err)
        return -(int)VMCP_E_INTERNAL;
    if (value)
        return vmcp_fail(err, err->code, "--%s %s: %s", option, value, err->text);
    return vmcp_fail_at(err, err->code, err->where, "--%s: %s", option, err->text);
}
