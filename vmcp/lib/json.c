/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "limits.h"

static struct vmcp_json_pos position(const char *text, size_t offset)
{
    struct vmcp_json_pos pos = {1, 1};
    const char *end = text + offset;
    for (const char *n; (n = memchr(text, '\n', (size_t)(end - text))) != NULL; text = n + 1)
        pos.line++;
    pos.column += (size_t)(end - text);
    return pos;
}

static int fail_at_offset(struct vmcp_error *err, const char *text, size_t offset, const char *what)
{
    struct vmcp_json_pos pos = position(text, offset);
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
    /* What jansson quotes of the document may be a secret. */
    char *quoted = strstr(e.text, " near ");
    if (quoted)
        *quoted = '\0';
    return fail_at_offset(err, text, offset, e.text);
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

/* A walk over text that is known to be well-formed. */
struct walk {
    const char *text;
    size_t len, at;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does `c` end a number or a word? */
static bool is_delimiter(char c)
{
    return is_space(c) || c == ',' || c == ':' || c == ']' || c == '}' || c == '[' || c == '{' ||
           c == '"';
}

static char peek(struct walk *w)
{
    while (w->at < w->len && is_space(w->text[w->at]))
        w->at++;
    return w->at < w->len ? w->text[w->at] : '\0';
}

static void skip_string(struct walk *w)
{
    for (w->at++; w->at < w->len && w->text[w->at] != '"'; w->at++)
        if (w->text[w->at] == '\\')
            w->at++;
    w->at++;
}

static void skip_value(struct walk *w)
{
    size_t depth = 0;
    do {
        char c = peek(w);
        if (c == '"') {
            skip_string(w);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        if ((c == '}' || c == ']') && depth > 0)
            depth--;
        w->at++;
        while (w->at < w->len && !is_delimiter(w->text[w->at]))
            w->at++; /* the rest of a number or a word */
    } while (depth > 0 && w->at < w->len);
}

/* Does the string token text[from, to) decode to `token`? */
static bool token_is(const char *text, size_t from, size_t to, const char *token)
{
    json_auto_t *s = json_loadb(text + from, to - from, JSON_DECODE_ANY, NULL);
    return json_is_string(s) && strcmp(json_string_value(s), token) == 0;
}

/* Step into member `token` of the object or array at w. *key is where its key stands (the value
 * itself in an array). False: there is no such member, and w stays. */
static bool step_into(struct walk *w, const char *token, size_t *key)
{
    struct walk try = *w;
    char open = peek(&try);
    if (open != '{' && open != '[')
        return false;
    try.at++;
    char *end = NULL;
    unsigned long want = strtoul(token, &end, 10);
    char c;
    for (unsigned long i = 0; (c = peek(&try)) && c != '}' && c != ']'; i++) {
        size_t from = try.at;
        bool found = open == '[' && *token && !*end && i == want;
        if (open == '{') {
            skip_string(&try);
            found = token_is(try.text, from, try.at, token);
            (void)peek(&try);
            try.at++; /* the colon */
            (void)peek(&try);
        }
        if (found) {
            *key = from;
            *w = try;
            return true;
        }
        skip_value(&try);
        if (peek(&try) == ',')
            try.at++;
    }
    return false;
}

/* Take the next reference token off a pointer (RFC 6901, section 4). False at its end. */
static bool next_token(const char **pointer, char *token, size_t size)
{
    const char *p = *pointer;
    if (*p != '/')
        return false;
    size_t n = 0;
    for (p++; *p && *p != '/'; p++) {
        char c = *p;
        if (c == '~' && (p[1] == '0' || p[1] == '1'))
            c = *++p == '0' ? '~' : '/';
        if (n + 1 < size)
            token[n++] = c;
    }
    token[n] = '\0';
    *pointer = p;
    return true;
}

struct vmcp_json_pos vmcp_json_locate(const char *text, size_t len, const char *pointer, int at_key)
{
    struct walk w = {text, len, 0};
    char token[256];
    (void)peek(&w);
    size_t key = w.at;
    while (next_token(&pointer, token, sizeof(token)) && step_into(&w, token, &key))
        ;
    return position(text, at_key ? key : w.at);
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
