/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIELD_MAX = 128, VALUE_MAX = 256, FILTER_MAX = 2048 };

enum operator{ EQUAL, UNEQUAL, HAS, MATCHES, MATCHES_NOT };

struct term {
    char field[FIELD_MAX];
    enum operator op;
    char value[VALUE_MAX];
};

static const char *skip(const char *p, const char *chars)
{
    return p + strspn(p, chars);
}

/* Copy up to one of `stops`. False if it is empty or too long. */
static bool take(const char **p, const char *stops, char *ret, size_t size)
{
    size_t len = strcspn(*p, stops);
    if (len == 0 || len >= size)
        return false;
    memcpy(ret, *p, len);
    ret[len] = '\0';
    *p += len;
    return true;
}

static bool take_operator(const char **p, enum operator* ret)
{
    static const struct {
        const char *text;
        enum operator op;
    } all[] = {{"!=", UNEQUAL}, {"=", EQUAL}, {":", HAS}, {"eq ", MATCHES}, {"ne ", MATCHES_NOT}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strncmp(*p, all[i].text, strlen(all[i].text)) != 0)
            continue;
        *p += strlen(all[i].text);
        *ret = all[i].op;
        return true;
    }
    return false;
}

static bool take_value(const char **p, char *ret, size_t size)
{
    if (**p != '"' && **p != '\'')
        return take(p, " \t()", ret, size);
    const char quote[2] = {**p, '\0'};
    (*p)++;
    if (**p == quote[0])
        ret[0] = '\0';
    else if (!take(p, quote, ret, size))
        return false;
    if (**p != quote[0])
        return false;
    (*p)++;
    return true;
}

static bool take_term(const char **p, struct term *ret)
{
    *p = skip(*p, " \t(");
    if (!take(p, " \t=!:", ret->field, sizeof(ret->field)))
        return false;
    *p = skip(*p, " \t");
    if (!take_operator(p, &ret->op))
        return false;
    *p = skip(*p, " \t");
    if (!take_value(p, ret->value, sizeof(ret->value)))
        return false;
    *p = skip(*p, " \t)");
    if (strncasecmp(*p, "AND", 3) == 0 && strchr(" \t(", (*p)[3]))
        *p += 3;
    return strncasecmp(*p, "OR", 2) != 0; /* not understood */
}

/* The text of a member, "a.b" being one of an object; numbers and booleans as they are written. */
static const char *text_of(const json_t *item, const char *field, char *buf, size_t size)
{
    char name[FIELD_MAX];
    while (item && *field) {
        size_t len = strcspn(field, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, field);
        item = json_object_get(item, name);
        field += len + (field[len] == '.');
    }
    if (json_is_integer(item)) {
        snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
        return buf;
    }
    if (json_is_boolean(item))
        return json_is_true(item) ? "true" : "false";
    return json_string_value(item);
}

static bool matches(const char *pattern, const char *text, bool *ret_good)
{
    char whole[VALUE_MAX + 8];
    regex_t regex;
    /* Counts multiply when they nest, and back references are slow: neither is taken. */
    *ret_good = !strpbrk(pattern, "{\\");
    snprintf(whole, sizeof(whole), "^(%s)$", pattern);
    *ret_good = *ret_good && regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) == 0;
    if (!*ret_good)
        return false;
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static bool fits(const struct term *term, const json_t *item, bool *ret_good)
{
    char buf[32];
    const char *text = text_of(item, term->field, buf, sizeof(buf));
    *ret_good = true;
    switch (term->op) {
    case EQUAL:
        return text && strcmp(text, term->value) == 0;
    case UNEQUAL:
        return !text || strcmp(text, term->value) != 0;
    case HAS:
        return text && (strcmp(term->value, "*") == 0 || strstr(text, term->value));
    case MATCHES:
        return matches(term->value, text ? text : "", ret_good);
    case MATCHES_NOT:
        return !matches(term->value, text ? text : "", ret_good);
    }
    return false;
}

int emu_filter_fits(const char *filter, const json_t *item, bool *ret, struct emu_refusal *why)
{
    *ret = true;
    if (!filter)
        return 0;
    bool good = strlen(filter) <= FILTER_MAX;
    for (const char *p = skip(filter, " \t"); good && *p;) {
        struct term term;
        good = take_term(&p, &term);
        if (good && !fits(&term, item, &good))
            *ret = false;
    }
    return good ? 0
                : emu_refuse_field(why, "filter", filter,
                                   "Invalid list filter expression; comparisons joined by AND are "
                                   "understood here.");
}
