/* SPDX-License-Identifier: Apache-2.0 */
/* The question: the Accept header in the first line, the path's name in the second, then a
 * parameter a line. What comes out can stand in a signed text. */
#include "fuzz.h"

#include "lib/name.h"
#include "lib/question.h"

static bool is_word(const char *s)
{
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
               strlen(s) &&
           strlen(s) <= VMCP_SALT_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    struct vmcp_question q = {0};
    auto_free char *text = fuzz_string(data, size);
    char *rest = text;
    const char *accept = fuzz_line(&rest), *name = fuzz_line(&rest), *end = text + size;
    while (rest < end) {
        size_t len = strcspn(rest, "\n"), key = strcspn(rest, "=\n");
        len = rest + len < end && rest[len] == '\0' ? len + 1 : len; /* a NUL goes along */
        const char *value = rest + key + (key < len);
        if (fuzz_told(vmcp_question_add(&q, rest, key, value, (size_t)(rest + len - value), &err),
                      &err) < 0)
            return 0;
        rest += len + (rest + len < end);
    }
    if (*name && fuzz_told(vmcp_question_set_path(&q, name, &err), &err) < 0)
        return 0;
    if (fuzz_told(vmcp_question_finish(&q, *accept ? accept : NULL, &err), &err) < 0)
        return 0;
    fuzz_check(*q.salt && is_word(q.salt) && is_word(q.hostid));
    fuzz_check(q.format == VMCP_FORMAT_V1 || *q.hostid);
    fuzz_check(!*q.machine || vmcp_machine_name_check(q.machine, strlen(q.machine), &err) == 0);
    fuzz_check(q.format == VMCP_FORMAT_V1 || strcasestr(accept, "application/jose"));
    return 0;
}
