/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"

#include <stdlib.h>
#include <string.h>

#include "accept.h"
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

int vmcp_question_finish(struct vmcp_question *q, const char *accept, struct vmcp_error *err)
{
    bool jose = vmcp_accept_quality(accept, "application/jose") > 0;
    q->format = jose ? VMCP_FORMAT_V2 : VMCP_FORMAT_V1;
    if (!q->salt[0])
        return vmcp_fail_at(err, VMCP_E_SALT_MISSING, "cvm_salt",
                            "the question has no cvm_salt; add a fresh random one, as "
                            "?cvm_salt=SALT of 1 to 256 letters, digits and -");
    if (q->format == VMCP_FORMAT_V2 && !q->hostid[0])
        return vmcp_fail_at(err, VMCP_E_HOSTID_REQUIRED, "cvm_hostid",
                            "version 2 is signed for one host: the question needs cvm_hostid");
    return 0;
}
