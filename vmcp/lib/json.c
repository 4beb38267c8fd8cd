/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "json_locate.h"
#include "json_words.h"
#include "limits.h"

static int fail_at_offset(struct vmcp_error *err, const char *text, size_t offset, const char *what)
{
    struct vmcp_json_pos pos = vmcp_json_position(text, offset);
    char where[64];
    snprintf(where, sizeof(where), "%zu:%zu", pos.line, pos.column);
    return vmcp_fail_at(err, VMCP_E_JSON, where, "%s", what);
}

/* jansson recurses: the depth is bounded before it starts. Only brackets outside strings count;
 * that the text is well-formed is for jansson to say. */
static int check_depth(const char *text, size_t len, struct vmcp_error *err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > VMCP_JSON_DEPTH)
                return fail_at_offset(err, text, i, "nested deeper than 32 levels");
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

/* Where the string token begins whose closing quote is at `end`: quotes inside it are escaped, and
 * so behind an odd number of backslashes. */
static size_t string_start(const char *text, size_t end)
{
    for (size_t i = end; i > 0; i--) {
        if (text[i - 1] != '"')
            continue;
        size_t slashes = 0;
        while (slashes < i - 1 && text[i - 2 - slashes] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            return i - 1;
    }
    return end;
}

int vmcp_json_parse(const char *text, size_t len, json_t **ret, struct vmcp_error *err)
{
    int rc = check_depth(text, len, err);
    if (rc < 0)
        return rc;
    json_error_t e;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (value) {
        *ret = value;
        return 0;
    }
    if (json_error_code(&e) == json_error_out_of_memory)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a JSON document");
    /* jansson counts columns in characters; its byte position is what we count from. The text of
     * some errors quotes the document, so it is said in words of our own where that matters. */
    size_t offset = e.position > 0 ? (size_t)e.position - 1 : 0;
    if (offset > len)
        offset = len;
    if (json_error_code(&e) == json_error_duplicate_key)
        return fail_at_offset(err, text, string_start(text, offset),
                              "a key that the object has already");
    static const char end[] = " near end of file";
    size_t chars = strlen(e.text);
    bool at_end = chars >= strlen(end) && strcmp(e.text + chars - strlen(end), end) == 0;
    /* What jansson quotes of the document may be a secret. */
    char *quoted = strstr(e.text, " near ");
    if (quoted)
        *quoted = '\0';
    const char *words =
        vmcp_json_words(text, len, offset, at_end ? "premature end of input" : e.text, &offset);
    return fail_at_offset(err, text, offset, words);
}

int vmcp_json_parse_object(const char *text, size_t len, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *value = NULL;
    int rc = vmcp_json_parse(text, len, &value, err);
    if (rc < 0)
        return rc;
    if (!json_is_object(value))
        return fail_at_offset(err, text, 0, "a JSON object is wanted here");
    *ret = steal(&value);
    return 0;
}

void vmcp_json_pointer_add(char *pointer, size_t size, const char *token)
{
    size_t n = strlen(pointer);
    if (n + 1 < size)
        pointer[n++] = '/';
    for (; *token && n + 2 < size; token++) {
        if (*token == '~' || *token == '/') {
            pointer[n++] = '~';
            pointer[n++] = *token == '~' ? '0' : '1';
        } else {
            pointer[n++] = *token;
        }
    }
    if (n < size)
        pointer[n] = '\0';
}

char *vmcp_json_text(const json_t *value, size_t *ret_len)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text && ret_len)
        *ret_len = strlen(text);
    return text;
}

void vmcp_json_wipe(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(value)) {
        char *s = (char *)(uintptr_t)json_string_value(value);
        OPENSSL_cleanse(s, json_string_length(value));
    } else if (json_is_object(value)) {
        json_object_foreach(value, key, member) vmcp_json_wipe(member);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) vmcp_json_wipe(member);
    }
}
