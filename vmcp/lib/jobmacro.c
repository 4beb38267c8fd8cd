/* SPDX-License-Identifier: Apache-2.0 */
#include "jobmacro.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char opening[] = VMCP_JOBMACRO_OPENING;
static const char escaped[] = "$" VMCP_JOBMACRO_OPENING;

static const struct {
    const char *name;
    enum vmcp_jobmacro_kind kind;
} names[] = {
    {"uuid", VMCP_JOBMACRO_UUID},
    {"scheduleTime", VMCP_JOBMACRO_SCHEDULE_TIME},
    {"attempt", VMCP_JOBMACRO_ATTEMPT},
    {"previous.", VMCP_JOBMACRO_PREVIOUS},
};

static bool begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && memcmp(text, with, n) == 0;
}

/* Names between dots, none of them empty; any byte but a brace, a quote or a control character. */
static bool field_is_good(const char *s, size_t len)
{
    if (len == 0 || len > VMCP_JOB_FIELD_MAX || s[0] == '.' || s[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || strchr("{}$\"\\", s[i]) ||
            (s[i] == '.' && s[i + 1] == '.'))
            return false;
    return true;
}

/* The macro at `s`, whose opening stands there; *ret has its kind, field and end. */
static int read_macro(const char *s, size_t len, struct vmcp_jobmacro *ret, struct vmcp_error *err)
{
    const char *body = s + strlen(opening);
    size_t room = len - strlen(opening);
    const char *end = memchr(body, '}', room);
    size_t n = end ? (size_t)(end - body) : 0;
    for (size_t i = 0; end && i < sizeof(names) / sizeof(*names); i++) {
        size_t name = strlen(names[i].name);
        bool has_field = names[i].kind == VMCP_JOBMACRO_PREVIOUS;
        if (!begins(body, n, names[i].name) || (!has_field && n != name))
            continue;
        if (has_field && !field_is_good(body + name, n - name))
            break;
        ret->kind = names[i].kind;
        ret->to = ret->from + strlen(opening) + n + 1;
        if (has_field)
            memcpy(ret->field, body + name, n - name);
        return 0;
    }
    size_t shown = end ? strlen(opening) + n + 1 : len;
    return vmcp_fail(err, VMCP_E_MACRO,
                     "%.*s%s is no macro of a job; there are uuid, scheduleTime, attempt and "
                     "previous.FIELD, and $${vmcp. stands for a literal ${vmcp.",
                     (int)(shown < 48 ? shown : 48), s, shown < 48 ? "" : "…");
}

int vmcp_jobmacro_next(const char *text, size_t len, size_t *at, struct vmcp_jobmacro *ret,
                       struct vmcp_error *err)
{
    struct vmcp_jobmacro m = {.plain_from = *at};
    for (size_t i = *at; i < len; i++) {
        if (text[i] != '$')
            continue;
        m.plain_to = m.from = i;
        if (begins(text + i, len - i, escaped)) {
            m.kind = VMCP_JOBMACRO_LITERAL;
            m.to = i + strlen(escaped);
        } else if (begins(text + i, len - i, opening)) {
            int rc = read_macro(text + i, len - i, &m, err);
            if (rc < 0) {
                *at = i;
                return rc;
            }
        } else {
            continue;
        }
        *at = m.to;
        *ret = m;
        return 0;
    }
    m.kind = VMCP_JOBMACRO_END;
    m.plain_to = m.from = m.to = *at = len;
    *ret = m;
    return 0;
}

static const json_t *step(const json_t *value, const char *name, size_t len)
{
    char *end = NULL;
    if (json_is_object(value))
        return json_object_getn(value, name, len);
    if (!json_is_array(value) || len > 9 || strspn(name, "0123456789") < len)
        return NULL;
    return json_array_get(value, (size_t)strtoul(name, &end, 10));
}

const json_t *vmcp_jobmacro_lookup(const json_t *root, const char *field)
{
    while (root && *field) {
        size_t len = strcspn(field, ".");
        root = step(root, field, len);
        field += len + (field[len] == '.');
    }
    return root;
}
