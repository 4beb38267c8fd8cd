/* SPDX-License-Identifier: Apache-2.0 */
#include "resource.h"

#include <stdio.h>
#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool all_of(const char *s, size_t len, const char *set)
{
    for (size_t i = 0; i < len; i++)
        if (!s[i] || !strchr(set, s[i]))
            return false;
    return true;
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

bool launch_is_label(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= LAUNCH_LABEL_MAX && is_one_of(s[0], LOWER) && s[len - 1] != '-' &&
           all_of(s, len, LOWER DIGITS "-");
}

bool launch_is_project(const char *s)
{
    const char *colon = strchr(s, ':');
    if (colon) {
        size_t domain = (size_t)(colon - s);
        if (domain < 1 || domain > 253 || !all_of(s, domain, LOWER DIGITS "-.") || s[0] == '.' ||
            s[0] == '-')
            return false;
        s = colon + 1;
    }
    size_t len = strlen(s);
    return len >= 1 && len <= LAUNCH_LABEL_MAX && s[0] != '-' && s[len - 1] != '-' &&
           all_of(s, len, LOWER DIGITS "-");
}

bool launch_is_id(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= 20 && s[0] != '0' && all_of(s, len, DIGITS);
}

bool launch_is_operation(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= 128 && all_of(s, len, LOWER DIGITS "-");
}

bool launch_is_guest_key(const char *s)
{
    static const char set[] = LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-_.";
    size_t space = strspn(s, set), key = s[space] == '/' ? strspn(s + space + 1, set) : 0;
    return space >= 1 && space <= 128 && key >= 1 && key <= 128 && !s[space + 1 + key];
}

bool launch_is_account(const char *s)
{
    size_t len = strlen(s);
    if (strcmp(s, "default") == 0)
        return true;
    const char *at = strchr(s, '@');
    return len <= 254 && at && at != s && at[1] && !strchr(at + 1, '@') &&
           all_of(s, (size_t)(at - s), LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-._+:") &&
           all_of(at + 1, strlen(at + 1), LOWER DIGITS "-.");
}

int launch_project_check(const char *s, struct vmcp_error *err)
{
    if (launch_is_project(s))
        return 0;
    char clean[80];
    launch_clean(s, clean, sizeof(clean));
    return vmcp_fail(err, VMCP_E_USAGE, "`%s` is not a project id, such as web-1234", clean);
}

int launch_zone_check(const char *s, struct vmcp_error *err)
{
    if (launch_is_label(s))
        return 0;
    char clean[80];
    launch_clean(s, clean, sizeof(clean));
    return vmcp_fail(err, VMCP_E_USAGE, "`%s` is not a zone, such as us-central1-a", clean);
}

const char *launch_last_part(const char *s)
{
    const char *slash = strrchr(s, '/');
    return slash ? slash + 1 : s;
}

const char *launch_resource_path(const char *s)
{
    static const char *const roots[] = {
        "https://www.googleapis.com/compute/v1/",
        "https://compute.googleapis.com/compute/v1/",
    };
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++)
        if (strncmp(s, roots[i], strlen(roots[i])) == 0)
            return s + strlen(roots[i]);
    return strstr(s, "://") ? NULL : s;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int launch_vm_name(const char *name, const char *suffix, const char *number,
                   char ret[static LAUNCH_LABEL_MAX + 1], struct vmcp_error *err)
{
    char made[LAUNCH_LABEL_MAX + 2];
    bool more = suffix && *suffix, numbered = number && *number;
    char clean[80];
    int len = snprintf(made, sizeof(made), "%s%s%s%s%s", name, more ? "-" : "", more ? suffix : "",
                       numbered ? "-" : "", numbered ? number : "");
    launch_clean(name, clean, sizeof(clean));
    if (len < 0 || len > LAUNCH_LABEL_MAX)
        return vmcp_fail(err, VMCP_E_PLAN,
                         "the name `%s` with its suffixes is over %d characters, and a name is "
                         "never cut",
                         clean, LAUNCH_LABEL_MAX);
    for (char *c = made; *c; c++) {
        *c = lower(*c);
        if (!is_one_of(*c, LOWER DIGITS))
            *c = '-';
    }
    if (!launch_is_label(made))
        return vmcp_fail(err, VMCP_E_PLAN,
                         "the name `%s` would become `%s`: an instance's name begins with a letter "
                         "and does not end in `-`",
                         clean, made);
    memcpy(ret, made, (size_t)len + 1);
    return 0;
}

void launch_label_value(const char *s, char ret[static LAUNCH_LABEL_MAX + 1])
{
    size_t n = 0;
    for (; s[n] && n < LAUNCH_LABEL_MAX; n++) {
        ret[n] = lower(s[n]);
        if (!is_one_of(ret[n], LOWER DIGITS "_-"))
            ret[n] = '_';
    }
    ret[n] = '\0';
}

/* C0, DEL, C1 (U+0080-9F), and those that turn the direction of writing (U+061C, U+200E-F,
 * U+202A-E, U+2066-9). */
size_t launch_steers(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x20 || s[0] == 0x7f)
        return 1;
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
        return 2;
    if (s[0] == 0xd8 && s[1] == 0x9c)
        return 2;
    if (s[0] == 0xe2 && s[1] == 0x80 &&
        (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xaa && s[2] <= 0xae)))
        return 3;
    return s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9 ? 3 : 0;
}

void launch_clean(const char *s, char *ret, size_t size)
{
    size_t n = 0;
    while (*s && n + 1 < size) {
        size_t skip = launch_steers(s);
        ret[n++] = skip ? ' ' : *s;
        s += skip ? skip : 1;
    }
    ret[n] = '\0';
    /* Not through the middle of a UTF-8 character. */
    while (*s && n > 0 && ((unsigned char)*s & 0xc0) == 0x80) {
        s--;
        ret[--n] = '\0';
    }
}
