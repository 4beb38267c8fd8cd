/* SPDX-License-Identifier: Apache-2.0 */
#include "expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/client.h"
#include "lib/jobmacro.h"

enum { NUMBER_CHARS = 64, VALUE_MAX = VMCP_JOB_PREVIOUS_MAX };

/* How a value is written where it stands. */
enum form { PLAIN, IN_URI, IN_JSON };

/* The shortest digits that mean the same number: 0.1, not 0.10000000000000001. */
static void number_text(const json_t *number, struct vmcp_buf *out)
{
    char text[NUMBER_CHARS];
    size_t len = 0;
    for (size_t digits = 15; digits <= 17; digits++) {
        len = json_dumpb(number, text, sizeof(text) - 1,
                         JSON_ENCODE_ANY | JSON_REAL_PRECISION((size_t)digits));
        len = len < sizeof(text) ? len : 0;
        text[len] = '\0';
        if (json_is_integer(number) || strtod(text, NULL) == json_real_value(number))
            break;
    }
    vmcp_buf_add(out, text, len);
}

/* A string, number or boolean as text; false for what is none. */
static bool scalar_text(const json_t *value, struct vmcp_buf *out)
{
    if (json_is_string(value)) {
        vmcp_buf_add(out, json_string_value(value), json_string_length(value));
    } else if (json_is_boolean(value)) {
        vmcp_buf_adds(out, json_is_true(value) ? "true" : "false");
    } else if (json_is_number(value)) {
        number_text(value, out);
    } else {
        return false;
    }
    return true;
}

static int previous_value(const struct launch_values *v, const char *field, struct vmcp_buf *out,
                          struct vmcp_error *err)
{
    const json_t *value = vmcp_jobmacro_lookup(v->previous, field);
    if (!value)
        value = vmcp_jobmacro_lookup(v->previous_else, field);
    if (!value)
        return vmcp_fail(err, VMCP_E_MACRO,
                         "${vmcp.previous.%.100s}: the last success's JSON has no such field%s",
                         field,
                         v->previous ? ""
                                     : " (there was no success yet); previousDefault "
                                       "could stand in");
    if (!scalar_text(value, out))
        return vmcp_fail(err, VMCP_E_MACRO,
                         "${vmcp.previous.%.100s} is no string, number or boolean", field);
    if (out->failed)
        return vmcp_fail(err, VMCP_E_MACRO, "${vmcp.previous.%.100s} is over %d bytes", field,
                         VMCP_JOB_PREVIOUS_MAX);
    return 0;
}

static int value_of(const struct vmcp_jobmacro *m, const struct launch_values *v,
                    struct vmcp_buf *out, struct vmcp_error *err)
{
    switch (m->kind) {
    case VMCP_JOBMACRO_UUID:
        vmcp_buf_adds(out, v->uuid);
        return 0;
    case VMCP_JOBMACRO_SCHEDULE_TIME:
        vmcp_buf_adds(out, v->schedule_time);
        return 0;
    case VMCP_JOBMACRO_ATTEMPT:
        vmcp_buf_addf(out, "%d", v->attempt);
        return 0;
    case VMCP_JOBMACRO_PREVIOUS:
        return previous_value(v, m->field, out, err);
    case VMCP_JOBMACRO_LITERAL:
        vmcp_buf_adds(out, VMCP_JOBMACRO_OPENING);
        return 0;
    case VMCP_JOBMACRO_END:
        break;
    }
    return 0;
}

/* A NUL cannot come: jansson takes none in a string. */
static int add_uri(const struct vmcp_buf *value, struct vmcp_buf *out, struct vmcp_error *err)
{
    auto_free char *escaped = http_escape(value->data ? value->data : "");
    if (!escaped)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URI");
    vmcp_buf_adds(out, escaped);
    return 0;
}

/* The content of a JSON string, without its quotes. */
static int add_json(const struct vmcp_buf *value, struct vmcp_buf *out, struct vmcp_error *err)
{
    json_auto_t *string = json_stringn(value->data ? value->data : "", value->len);
    auto_free char *text = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a body");
    vmcp_buf_add(out, text + 1, strlen(text) - 2);
    return 0;
}

/* Is the end of [text, text + len) inside a JSON string, where its beginning was `inside`? */
static bool ends_in_string(const char *text, size_t len, bool inside)
{
    for (size_t i = 0; i < len; i++)
        if (inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            inside = !inside;
    return inside;
}

/* Beside JSON's strings only a number, true or false can stand: anything else would be read as a
 * part of the document that was signed. */
static int add_bare(const struct vmcp_buf *value, struct vmcp_buf *out, struct vmcp_error *err)
{
    json_auto_t *parsed =
        value->len ? json_loadb(value->data, value->len, JSON_DECODE_ANY, NULL) : NULL;
    if (!json_is_number(parsed) && !json_is_boolean(parsed))
        return vmcp_fail(err, VMCP_E_MACRO,
                         "a macro outside of a JSON string is to be a number, true or false");
    vmcp_buf_add(out, value->data, value->len);
    return 0;
}

static int expand(const char *text, size_t len, const struct launch_values *v, enum form form,
                  struct vmcp_buf *out, struct vmcp_error *err)
{
    struct vmcp_jobmacro m = {.kind = VMCP_JOBMACRO_UUID};
    bool in_string = false;
    for (size_t at = 0; m.kind != VMCP_JOBMACRO_END;) {
        auto_buf struct vmcp_buf value = VMCP_BUF(VALUE_MAX);
        int rc = vmcp_jobmacro_next(text, len, &at, &m, err);
        if (rc < 0)
            return rc;
        vmcp_buf_add(out, text + m.plain_from, m.plain_to - m.plain_from);
        in_string = ends_in_string(text + m.plain_from, m.plain_to - m.plain_from, in_string);
        rc = value_of(&m, v, &value, err);
        if (rc < 0)
            return rc;
        if (form == IN_URI)
            rc = add_uri(&value, out, err);
        else if (form == IN_JSON && m.kind != VMCP_JOBMACRO_END)
            rc = in_string ? add_json(&value, out, err) : add_bare(&value, out, err);
        else
            vmcp_buf_add(out, value.data ? value.data : "", value.len);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int launch_expand_uri(const struct vmcp_job *job, const struct launch_values *values,
                      struct vmcp_buf *out, struct vmcp_error *err)
{
    struct vmcp_joburi expanded = {0};
    const struct vmcp_joburi *signed_one = &job->target;
    int rc = expand(job->uri, strlen(job->uri), values, IN_URI, out, err);
    if (rc == 0)
        rc = vmcp_buf_check(out, "the expanded URI", err);
    if (rc == 0)
        rc = vmcp_joburi_parse(out->data, &expanded, NULL, err);
    if (rc < 0)
        return vmcp_error_locate(err, "httpTarget.uri");
    if (expanded.https != signed_one->https || expanded.port != signed_one->port ||
        strcmp(expanded.host, signed_one->host) != 0)
        return vmcp_fail_at(err, VMCP_E_POLICY, "httpTarget.uri",
                            "expanded, it leads to %s, and %s was signed", expanded.host,
                            signed_one->host);
    return 0;
}

/* Field values hold tabs, but no other control character (RFC 9110, section 5.5); those of ISO
 * 8859-1 beyond ASCII (U+0080 to U+009F) neither. */
static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0)
            return true;
    }
    return false;
}

int launch_expand_header(const char *name, const char *value, const struct launch_values *values,
                         struct vmcp_buf *out, struct vmcp_error *err)
{
    size_t start = out->len;
    int rc = expand(value, strlen(value), values, PLAIN, out, err);
    if (rc == 0)
        rc = vmcp_buf_check(out, "a header", err);
    if (rc < 0)
        return vmcp_error_locate(err, name);
    if (out->data && has_control(out->data + start, out->len - start))
        return vmcp_fail_at(err, VMCP_E_MACRO, name,
                            "expanded, this header holds a control character");
    return 0;
}

/* A copy with every string expanded; NULL with *err filled. */
static json_t *expand_json(const json_t *value, const struct launch_values *v,
                           struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(HTTP_BODY_MAX);
    json_auto_t *copy = NULL;
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(value)) {
        if (expand(json_string_value(value), json_string_length(value), v, PLAIN, &text, err) < 0 ||
            vmcp_buf_check(&text, "a string of bodyJson", err) < 0)
            return NULL;
        copy = json_stringn(text.data ? text.data : "", text.len);
    } else if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            json_t *to = expand_json(member, v, err);
            if (!to)
                return NULL;
            json_object_set_new_nocheck(copy, key, to);
        }
    } else if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)
        {
            json_t *to = expand_json(member, v, err);
            if (!to)
                return NULL;
            json_array_append_new(copy, to);
        }
    } else {
        copy = json_incref((json_t *)(uintptr_t)value);
    }
    if (!copy)
        vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a body");
    return steal(&copy);
}

int launch_expand_body(const struct vmcp_job *job, const struct launch_values *values, bool json,
                       struct vmcp_buf *out, struct vmcp_error *err)
{
    int rc = 0;
    if (job->body_json) {
        json_auto_t *copy = expand_json(job->body_json, values, err);
        auto_free char *text = copy ? json_dumps(copy, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        if (!copy)
            return vmcp_error_locate(err, "httpTarget.bodyJson");
        if (!text)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a body");
        vmcp_buf_adds(out, text);
    } else if (job->body) {
        rc = expand((const char *)job->body, job->body_len, values, json ? IN_JSON : PLAIN, out,
                    err);
    }
    if (rc == 0)
        rc = vmcp_buf_check(out, "the body", err);
    return rc < 0 ? vmcp_error_locate(err, "httpTarget.body") : 0;
}
