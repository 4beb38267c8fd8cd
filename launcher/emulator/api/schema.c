/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/json.h"

enum { WHERE_MAX = 192 };

static const char *type_name(char type)
{
    switch (type) {
    case 'b':
        return "TYPE_BOOL";
    case 'i':
        return "TYPE_INT32";
    case 'l':
        return "TYPE_INT64";
    case 's':
        return "TYPE_STRING";
    case 'd':
        return "TYPE_DOUBLE";
    default:
        return "TYPE_MESSAGE";
    }
}

static int wrong_type(const char *where, const json_t *value, char type, struct emu_refusal *why)
{
    auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return emu_refuse(why, 400, "invalid", "Invalid value at '%s' (%s), %.100s", where,
                      type_name(type), text ? text : "");
}

/* A decimal in the range of int64, as a string or a number. */
static bool is_int64(const json_t *value)
{
    if (json_is_integer(value))
        return true;
    const char *text = json_string_value(value);
    if (!text || !*text || strspn(text, "-0123456789") != strlen(text))
        return false;
    char *end = NULL;
    errno = 0;
    (void)strtoll(text, &end, 10);
    return errno == 0 && !*end;
}

static bool is_int32(const json_t *value)
{
    json_int_t n = json_integer_value(value);
    return json_is_integer(value) && n >= INT32_MIN && n <= INT32_MAX;
}

static bool all_strings(const json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_is_array(value);
}

static bool map_of_strings(json_t *value)
{
    const char *key = NULL;
    json_t *item = NULL;
    json_object_foreach(value, key, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_is_object(value);
}

static bool type_fits(char type, json_t *value)
{
    switch (type) {
    case 's':
        return json_is_string(value);
    case 'b':
        return json_is_boolean(value);
    case 'i':
        return is_int32(value);
    case 'l':
        return is_int64(value);
    case 'm':
        return map_of_strings(value);
    case 't':
        return all_strings(value);
    case 'a':
        return json_is_array(value);
    case 'd':
        return json_is_number(value);
    default:
        return json_is_object(value);
    }
}

/* Name a place in the body; one that is too deep to fit is cut. */
static void __attribute__((format(printf, 2, 3)))
name_place(char place[static WHERE_MAX], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(place, WHERE_MAX, fmt, args);
    va_end(args);
}

static int check_object(json_t *body, const struct emu_field *fields, const char *where,
                        struct emu_refusal *why);

static int check_items(json_t *items, const struct emu_field *fields, const char *where,
                       struct emu_refusal *why)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(items, i, item)
    {
        char place[WHERE_MAX];
        name_place(place, "%s[%zu]", where, i);
        if (!json_is_object(item))
            return wrong_type(place, item, 'o', why);
        int rc = fields ? check_object(item, fields, place, why) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_member(const char *key, json_t *value, const struct emu_field *fields,
                        const char *where, struct emu_refusal *why)
{
    while (fields->name && strcmp(fields->name, key) != 0)
        fields++;
    if (!fields->name)
        return emu_refuse(why, 400, "badRequest",
                          "Invalid JSON payload received. Unknown name \"%.100s\" at '%s': Cannot "
                          "find field.",
                          key, where);
    char place[WHERE_MAX];
    name_place(place, "%s.%s", where, key);
    if (!type_fits(fields->type, value))
        return wrong_type(place, value, fields->type, why);
    if (fields->type == 'a')
        return check_items(value, fields->fields, place, why);
    if (fields->type == 'o' && fields->fields)
        return check_object(value, fields->fields, place, why);
    return 0;
}

static int check_object(json_t *body, const struct emu_field *fields, const char *where,
                        struct emu_refusal *why)
{
    const char *key = NULL;
    json_t *value = NULL;
    void *next = NULL;
    json_object_foreach_safe(body, next, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(body, key);
            continue;
        }
        int rc = check_member(key, value, fields, where, why);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int emu_schema_check(json_t *body, const struct emu_field *fields, struct emu_refusal *why)
{
    return check_object(body, fields, "resource", why);
}

int emu_schema_read(const struct http_request *req, const struct emu_field *fields, json_t **ret,
                    struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    json_auto_t *body = NULL;
    if (vmcp_json_parse_object(req->body ? req->body : "", req->body_len, &body, &err) < 0)
        return emu_refuse(why, 400, "parseError", "Invalid JSON payload received. %s%s%s",
                          err.where, err.where[0] ? ": " : "", err.text);
    int rc = emu_schema_check(body, fields, why);
    if (rc == 0)
        *ret = steal(&body);
    return rc;
}
