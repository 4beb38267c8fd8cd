/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cloud/resource.h"
#include "lib/options.h"

enum { WHERE_MAX = 256 };

static int check_object(const json_t *value, const char *type, const char *where,
                        struct vmcp_error *err);

static int wrong(const char *where, const char *wanted, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_PLAN, where, "%s is wanted here", wanted);
}

/* Is `word` one of the words of "A|B|C"? */
static bool is_one_of(const char *word, const char *choice)
{
    size_t len = strlen(word);
    for (const char *c = choice; len && *c; c += strcspn(c, "|"), c += *c == '|')
        if (strcspn(c, "|") == len && memcmp(c, word, len) == 0)
            return true;
    return false;
}

static bool is_digits(const char *s)
{
    s += *s == '-';
    size_t len = strlen(s);
    return len >= 1 && len <= 19 && strspn(s, "0123456789") == len;
}

static int check_map(const json_t *value, const char *where, struct vmcp_error *err)
{
    const char *key;
    const json_t *member;
    void *iter;
    if (!json_is_object(value))
        return wrong(where, "an object of strings", err);
    /* jansson's iterators take objects that may be changed; these are only read. */
    json_t *object = json_incref((json_t *)(uintptr_t)value);
    int rc = 0;
    for (iter = json_object_iter(object); iter && rc == 0;
         iter = json_object_iter_next(object, iter)) {
        key = json_object_iter_key(iter);
        member = json_object_iter_value(iter);
        if (!json_is_string(member))
            rc = vmcp_fail_at(err, VMCP_E_PLAN, where, "the value of `%.64s` is not a string", key);
    }
    json_decref(object);
    return rc;
}

static int check_one(const json_t *value, const char *type, const char *where,
                     struct vmcp_error *err)
{
    const char *string = json_string_value(value);
    if (type[0] == '@')
        return check_object(value, type + 1, where, err);
    if (strcmp(type, "s") == 0)
        return string ? 0 : wrong(where, "a string", err);
    if (strcmp(type, "b") == 0)
        return json_is_boolean(value) ? 0 : wrong(where, "true or false", err);
    if (strcmp(type, "m") == 0)
        return check_map(value, where, err);
    if (strcmp(type, "n") == 0)
        return string && is_digits(string) ? 0 : wrong(where, "a string of digits", err);
    if (strcmp(type, "i") == 0) {
        json_int_t n = json_integer_value(value);
        bool good = json_is_integer(value) && n >= INT32_MIN && n <= INT32_MAX;
        return good ? 0 : wrong(where, "a whole number", err);
    }
    return string && is_one_of(string, type) ? 0 : wrong(where, type, err);
}

static int check_field(const json_t *value, const char *type, const char *where,
                       struct vmcp_error *err)
{
    if (strncmp(type, "[]", 2) != 0)
        return check_one(value, type, where, err);
    if (!json_is_array(value))
        return wrong(where, "an array", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        char below[WHERE_MAX];
        snprintf(below, sizeof(below), "%.200s[%zu]", where, i);
        int rc = check_one(json_array_get(value, i), type + 2, below, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const struct launch_field *fields_of(const char *type)
{
    for (const struct launch_type *t = launch_types; t->name; t++)
        if (strcmp(t->name, type) == 0)
            return t->fields;
    return NULL;
}

static int unknown(const struct launch_field *fields, const char *key, const char *where,
                   struct vmcp_error *err)
{
    size_t count = 0;
    char clean[64];
    while (fields[count].name)
        count++;
    const char *near = vmcp_suggest(key, fields, count, sizeof(*fields));
    launch_clean(key, clean, sizeof(clean));
    return vmcp_fail_at(err, VMCP_E_PLAN, where,
                        "`%s` is no field that can be set here%s%s; names are case-sensitive",
                        clean, near ? "; did you mean " : "", near ? near : "");
}

static int check_member(const struct launch_field *fields, const char *key, const json_t *value,
                        const char *where, struct vmcp_error *err)
{
    for (const struct launch_field *f = fields; f->name; f++) {
        if (strcmp(f->name, key) != 0)
            continue;
        char below[WHERE_MAX];
        snprintf(below, sizeof(below), "%.180s%s%.64s", where, *where ? "." : "", key);
        return check_field(value, f->type, below, err);
    }
    return unknown(fields, key, where, err);
}

static int check_object(const json_t *value, const char *type, const char *where,
                        struct vmcp_error *err)
{
    const struct launch_field *fields = fields_of(type);
    if (!fields)
        return vmcp_fail_at(err, VMCP_E_INTERNAL, where, "the type %s is not in the table", type);
    if (!json_is_object(value))
        return wrong(where, "an object", err);
    json_t *object = json_incref((json_t *)(uintptr_t)value);
    int rc = 0;
    for (void *i = json_object_iter(object); i && rc == 0; i = json_object_iter_next(object, i))
        rc = check_member(fields, json_object_iter_key(i), json_object_iter_value(i), where, err);
    json_decref(object);
    return rc;
}

int launch_schema_check(const json_t *body, struct vmcp_error *err)
{
    return check_object(body, launch_types[0].name, "", err);
}
