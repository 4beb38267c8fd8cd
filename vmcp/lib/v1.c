/* SPDX-License-Identifier: Apache-2.0 */
#include "v1.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json.h"
#include "limits.h"
#include "sign.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* RFC 3986, section 2.3. */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void add_encoded(struct vmcp_buf *out, const char *s, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    char *begin = vmcp_buf_extend(out, 3 * len), *at = begin;
    for (size_t i = 0; begin && i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_unreserved(c)) {
            *at++ = s[i];
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    if (begin)
        vmcp_buf_cut(out, 3 * len - (size_t)(at - begin));
}

static int add_parameter(struct vmcp_buf *out, const char *key, const json_t *value,
                         struct vmcp_error *err)
{
    for (const char *k = key; *k; k++)
        vmcp_buf_addc(out, *k >= 'A' && *k <= 'Z' ? (char)(*k - 'A' + 'a') : *k);
    vmcp_buf_addc(out, '=');
    if (json_is_string(value))
        add_encoded(out, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value) && json_integer_value(value) >= INT32_MIN &&
             json_integer_value(value) <= INT32_MAX)
        vmcp_buf_addf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        vmcp_buf_addc(out, json_is_true(value) ? '1' : '0');
    else
        return vmcp_fail_at(err, VMCP_E_MACHINE, key,
                            "version 1 signs only strings and integers of 32 bits");
    vmcp_buf_addc(out, '\n');
    return 0;
}

int vmcp_v1_text(const json_t *params, struct vmcp_buf *out, struct vmcp_error *err)
{
    size_t count = json_object_size(params), n = 0;
    auto_free const char **keys = calloc(count + 1, sizeof(*keys));
    if (!keys)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the signed text");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        if (strcmp(key, "signature") != 0)
            keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), by_bytes);
    for (size_t i = 0; i < n; i++) {
        int rc = add_parameter(out, keys[i], json_object_get(params, keys[i]), err);
        if (rc < 0)
            return rc;
    }
    return vmcp_buf_check(out, "the signed text", err);
}

/* The parameters as they are sent, without a signature. The values are copied: counting references
 * to a machine that threads share would be a race. */
static json_t *with_numbers(const json_t *params)
{
    json_auto_t *copy = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        if (strcmp(key, "signature") == 0)
            continue;
        int failed = json_is_boolean(value)
                         ? json_object_set_new(copy, key, json_integer(json_is_true(value)))
                         : json_object_set_new(copy, key, json_copy(value));
        if (failed)
            return NULL;
    }
    return steal(&copy);
}

void vmcp_v1_draft_clear(struct vmcp_v1_draft *draft)
{
    vmcp_buf_clear(&draft->text);
    vmcp_buf_clear(&draft->json);
}

int vmcp_v1_draft_make(const json_t *params, struct vmcp_v1_draft *ret, struct vmcp_error *err)
{
    *ret = (struct vmcp_v1_draft){.text = VMCP_BUF(4 * VMCP_ANSWER_MAX),
                                  .json = VMCP_BUF(VMCP_ANSWER_MAX)};
    int rc = vmcp_v1_text(params, &ret->text, err);
    if (rc < 0)
        return rc;
    json_auto_t *answer = with_numbers(params);
    size_t len = 0;
    auto_free char *text = NULL;
    if (answer && json_object_set_new(answer, "signature", json_string("")) == 0)
        text = vmcp_json_text(answer, &len);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an answer");
    vmcp_buf_add(&ret->json, text, len - strlen("\"}")); /* the signature comes last */
    return vmcp_buf_check(&ret->json, "an answer", err);
}

int vmcp_v1_sign(const struct vmcp_v1_draft *draft, const char *salt, const struct vmcp_key *key,
                 char **ret_json, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(4 * VMCP_ANSWER_MAX + VMCP_SALT_MAX);
    auto_buf struct vmcp_buf answer = VMCP_BUF(VMCP_ANSWER_MAX);
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t sig_len = 0, salt_len = strlen(salt);
    char *at = vmcp_buf_extend(&text, draft->text.len + salt_len);
    if (!at)
        return vmcp_buf_check(&text, "the signed text", err);
    memcpy(at, draft->text.data ? draft->text.data : "", draft->text.len);
    memcpy(at + draft->text.len, salt, salt_len);
    int rc = vmcp_sign(key, vmcp_alg_find("RS512"), text.data, text.len, sig, &sig_len, err);
    if (rc < 0)
        return rc;
    size_t chars = VMCP_BASE64_CHARS(sig_len);
    at = vmcp_buf_extend(&answer, draft->json.len + chars + strlen("\"}"));
    if (!at)
        return vmcp_buf_check(&answer, "an answer", err);
    memcpy(at, draft->json.data, draft->json.len);
    vmcp_base64_encode(VMCP_BASE64_PADDED, sig, sig_len, at + draft->json.len);
    memcpy(at + draft->json.len + chars, "\"}", strlen("\"}"));
    *ret_json = vmcp_buf_steal(&answer, NULL);
    return 0;
}
