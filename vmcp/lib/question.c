/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "name.h"

typedef int (*name_check)(const char *s, size_t len, struct vmcp_error *err);

static int take(char *field, const char *what, name_check check, const char *value, size_t len,
                struct vmcp_error *err)
{
    if (field[0])
        return vmcp_fail_at(err, VMCP_E_PARAMETER_REPEATED, what, "`%s` is given twice", what);
    int rc = check(value, len, err);
    if (rc < 0)
        return vmcp_error_locate(err, what);
    memcpy(field, value, len);
    field[len] = '\0';
    return 0;
}

static bool is(const char *key, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(key, name, len) == 0;
}

int vmcp_question_add(struct vmcp_question *q, const char *key, size_t key_len, const char *value,
                      size_t value_len, struct vmcp_error *err)
{
    if (is(key, key_len, "cvm_salt"))
        return take(q->salt, "cvm_salt", vmcp_salt_check, value, value_len, err);
    if (is(key, key_len, "cvm_hostid"))
        return take(q->hostid, "cvm_hostid", vmcp_hostid_check, value, value_len, err);
    if (is(key, key_len, "vm"))
        return take(q->machine, "vm", vmcp_machine_name_check, value, value_len, err);
    return 0;
}

int vmcp_question_set_path(struct vmcp_question *q, const char *name, struct vmcp_error *err)
{
    int rc = vmcp_machine_name_check(name, strlen(name), err);
    if (rc < 0)
        return rc;
    if (q->machine[0] && strcmp(q->machine, name) != 0)
        return vmcp_fail(err, VMCP_E_NAME_CONFLICT, "the path names %s and `vm` names %s", name,
                         q->machine);
    memcpy(q->machine, name, strlen(name) + 1);
    return 0;
}

/* Take the next piece of a header's value up to one of `ends`, which may also stand inside a quoted
 * string, where it ends nothing (RFC 9110, section 5.6.4). What was taken is *piece, without white
 * space around it; false at the end of the value. */
static bool next_piece(const char **rest, const char *stop, const char *ends, const char **piece,
                       size_t *ret_len)
{
    const char *p = *rest;
    bool quoted = false;
    if (!p)
        return false;
    for (; p < stop && (quoted || !strchr(ends, *p)); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < stop)
            p++;
    }
    const char *from = *rest, *to = p;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    *piece = from;
    *ret_len = (size_t)(to - from);
    *rest = p < stop ? p + 1 : NULL;
    return true;
}

/* Is this element of an Accept header application/jose with q > 0? Its other parameters say nothing
 * to us. */
static bool wants_jose(const char *element, size_t len)
{
    static const char name[] = "application/jose";
    const char *stop = element + len, *piece = NULL;
    size_t n = 0;
    if (!next_piece(&element, stop, ";", &piece, &n) || n != strlen(name) ||
        strncasecmp(piece, name, n) != 0)
        return false;
    while (next_piece(&element, stop, ";", &piece, &n))
        if (n >= 2 && strncasecmp(piece, "q=", 2) == 0) /* 0, 0.0 and the like are zero */
            return strcspn(piece + 2, "123456789") < n - 2;
    return true;
}

static enum vmcp_format format_of(const char *accept)
{
    const char *stop = accept ? accept + strlen(accept) : NULL, *element = NULL;
    size_t len = 0;
    while (next_piece(&accept, stop, ",", &element, &len))
        if (wants_jose(element, len))
            return VMCP_FORMAT_V2;
    return VMCP_FORMAT_V1;
}

int vmcp_question_finish(struct vmcp_question *q, const char *accept, struct vmcp_error *err)
{
    q->format = format_of(accept);
    if (!q->salt[0])
        return vmcp_fail_at(err, VMCP_E_SALT_MISSING, "cvm_salt",
                            "the question has no cvm_salt; add a fresh random one");
    if (q->format == VMCP_FORMAT_V2 && !q->hostid[0])
        return vmcp_fail_at(err, VMCP_E_HOSTID_REQUIRED, "cvm_hostid",
                            "version 2 is signed for one host: the question needs cvm_hostid");
    return 0;
}
