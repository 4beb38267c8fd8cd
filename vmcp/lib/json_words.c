/* SPDX-License-Identifier: Apache-2.0 */
#include "json_words.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '+' || c == '-' || c == '.' || c == '$';
}

/* Is the byte at `offset` inside a string, or its end? Then *ret is where that begins. */
static bool in_string(const char *text, size_t offset, size_t *ret)
{
    bool inside = false;
    for (size_t i = 0; i < offset; i++) {
        if (inside && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            inside = !inside;
            *ret = i;
        }
    }
    return inside;
}

/* Where the token begins that `offset` is in. */
static size_t token_start(const char *text, size_t len, size_t offset)
{
    size_t start = offset;
    if (offset >= len)
        return len;
    if (text[offset] == '"' && in_string(text, offset, &start))
        return start;
    while (start > 0 && is_word(text[start]) && is_word(text[start - 1]))
        start--;
    return start;
}

/* The last byte before `at` that is no white space, or 0. */
static char before(const char *text, size_t at)
{
    while (at > 0 && is_space(text[at - 1]))
        at--;
    return at > 0 ? text[at - 1] : '\0';
}

/* A token that JSON has nowhere, or not there. */
static const char *of_token(const char *text, size_t len, size_t at, const char *text_of)
{
    char c = text[at], last = before(text, at);
    if (c == '\'')
        return "a single quote: strings and keys stand in double quotes";
    if (c == '#' || (c == '/' && at + 1 < len && strchr("/*", text[at + 1])))
        return "a comment, which JSON does not have";
    if ((c == '}' || c == ']') && last == ',')
        return "a comma too many before this closing bracket";
    if (c == ',' && last && strchr(",{[", last))
        return "a comma too many";
    if (strstr(text_of, "':' expected"))
        return "a colon is missing between a key and its value";
    if (strstr(text_of, "end of file expected"))
        return "something follows the end of the document";
    bool wants_end = strstr(text_of, "'}' expected") || strstr(text_of, "']' expected");
    if (c == '=' && last == '"')
        return "a colon is wanted between a key and its value";
    if (strstr(text_of, "string or '}' expected"))
        return "a key in double quotes is wanted here";
    if (wants_end && (c == '"' || c == '{' || c == '[' || is_word(c)))
        return "a comma is missing before this";
    if (wants_end && (c == '}' || c == ']'))
        return "the closing bracket of the other kind is wanted here";
    if (strstr(text_of, "unexpected token") && strchr("}],:", c))
        return "a value is missing before this";
    if (isalpha((unsigned char)c) && strstr(text_of, "invalid token"))
        return last == '{' || last == ',' ? "a key or a string stands in double quotes"
                                          : "a string stands in double quotes; other words are "
                                            "true, false and null only";
    return text_of;
}

const char *vmcp_json_words(const char *text, size_t len, size_t offset, const char *text_of,
                            size_t *ret_offset)
{
    size_t first = 0, start = 0;
    while (first < len && is_space(text[first]))
        first++;
    *ret_offset = 0;
    if (first == len)
        return "empty: a JSON object is wanted here";
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return "a byte order mark, which JSON does not begin with: save it as UTF-8 without BOM";
    bool ends = strstr(text_of, "premature end of input");
    if ((ends && in_string(text, len, &start)) ||
        (strstr(text_of, "unexpected newline") && in_string(text, offset, &start))) {
        *ret_offset = start;
        return ends ? "a string without an end: its closing double quote is missing"
                    : "a string without an end on its line: a closing double quote is missing, or "
                      "its new lines are to be written \\n";
    }
    *ret_offset = ends ? len : token_start(text, len, offset);
    if (ends || *ret_offset == len)
        return "the end comes too early: a closing bracket is missing";
    return of_token(text, len, *ret_offset, text_of);
}
