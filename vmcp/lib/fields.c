/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "json.h"
#include "options.h"

enum { WORDS_MAX = 64 };

const char *vmcp_fields_pointer(const struct vmcp_fields *f, const char *key,
                                char out[VMCP_AT_LEAST(160)])
{
    memcpy(out, f->pointer, sizeof(f->pointer));
    if (key)
        vmcp_json_pointer_add(out, sizeof(f->pointer), key);
    return out;
}

void vmcp_fields_fail(const struct vmcp_fields *f, const char *key, bool at_key, const char *fmt,
                      ...)
{
    char pointer[sizeof(f->pointer)], text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    vmcp_diag_error(f->diags, f->code, vmcp_fields_pointer(f, key, pointer), at_key, "%s", text);
}

static void fail_unknown(const struct vmcp_fields *f, const char *key,
                         const struct vmcp_field_name *names, size_t count)
{
    const char *here[WORDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < WORDS_MAX; i++)
        if (!names[i].refused)
            here[n++] = names[i].name;
    const char *near = vmcp_suggest(key, here, n, sizeof(*here));
    if (near)
        vmcp_fields_fail(f, key, true, "`%.64s` is unknown here; did you mean `%s`?", key, near);
    else
        vmcp_fields_fail(f, key, true, "`%.64s` is unknown here", key);
}

void vmcp_fields_known(const struct vmcp_fields *f, const struct vmcp_field_name *names,
                       size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)f->object, key, value)
    {
        const struct vmcp_field_name *found = NULL;
        for (size_t i = 0; i < count && !found; i++)
            if (strcmp(names[i].name, key) == 0)
                found = &names[i];
        if (!found)
            fail_unknown(f, key, names, count);
        else if (found->refused)
            vmcp_fields_fail(f, key, true, "`%s`: %s", key, found->refused);
    }
}

bool vmcp_fields_object(const struct vmcp_fields *f, const char *key, struct vmcp_fields *ret)
{
    const json_t *value = json_object_get(f->object, key);
    if (!value)
        return false;
    if (!json_is_object(value)) {
        vmcp_fields_fail(f, key, false, "`%s` is to be an object", key);
        return false;
    }
    *ret = (struct vmcp_fields){.object = value, .code = f->code, .diags = f->diags};
    vmcp_fields_pointer(f, key, ret->pointer);
    return true;
}

void vmcp_fields_string(const struct vmcp_fields *f, const char *key, size_t max, const char **ret)
{
    const json_t *value = json_object_get(f->object, key);
    size_t len = json_string_length(value);
    if (!value)
        return;
    if (!json_is_string(value))
        vmcp_fields_fail(f, key, false, "`%s` is to be a string", key);
    else if (len == 0)
        vmcp_fields_fail(f, key, false, "`%s` is empty", key);
    else if (len > max)
        vmcp_fields_fail(f, key, false, "`%s` has %zu bytes; %zu at most", key, len, max);
    else
        *ret = json_string_value(value);
}

void vmcp_fields_word(const struct vmcp_fields *f, const char *key, const char *const *words,
                      size_t count, size_t *ret)
{
    const json_t *value = json_object_get(f->object, key);
    const char *text = json_string_value(value);
    char all[160] = "";
    if (!value)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(all);
        if (text && strcmp(text, words[i]) == 0) {
            *ret = i;
            return;
        }
        snprintf(all + len, sizeof(all) - len, "%s%s",
                 i == 0          ? ""
                 : i + 1 < count ? ", "
                                 : " or ",
                 words[i]);
    }
    vmcp_fields_fail(f, key, false, "`%s` is to be %s", key, all);
}

void vmcp_fields_bool(const struct vmcp_fields *f, const char *key, bool *ret)
{
    const json_t *value = json_object_get(f->object, key);
    if (json_is_boolean(value))
        *ret = json_is_true(value);
    else if (value)
        vmcp_fields_fail(f, key, false, "`%s` is to be true or false", key);
}

void vmcp_fields_integer(const struct vmcp_fields *f, const char *key, int64_t min, int64_t max,
                         int64_t *ret)
{
    const json_t *value = json_object_get(f->object, key);
    if (json_is_integer(value) && json_integer_value(value) >= min &&
        json_integer_value(value) <= max)
        *ret = json_integer_value(value);
    else if (value)
        vmcp_fields_fail(f, key, false, "`%s` is to be a whole number from %lld to %lld", key,
                         (long long)min, (long long)max);
}

void vmcp_fields_duration(const struct vmcp_fields *f, const char *key, int64_t min_s,
                          int64_t max_s, int64_t *ret_ms)
{
    const char *text = NULL;
    int64_t ms = 0;
    struct vmcp_error err = {0};
    vmcp_fields_string(f, key, 32, &text);
    if (!text)
        return;
    if (vmcp_duration_parse(text, &ms, &err) < 0)
        vmcp_fields_fail(f, key, false, "`%s`: %s", key, err.text);
    else if (ms < min_s * 1000 || ms > max_s * 1000)
        vmcp_fields_fail(f, key, false, "`%s` is %llds to %llds", key, (long long)min_s,
                         (long long)max_s);
    else
        *ret_ms = ms;
}
