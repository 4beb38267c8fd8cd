/* SPDX-License-Identifier: Apache-2.0 */
#include "json_locate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk over text that is known to be well-formed. */
struct walk {
    const char *text;
    size_t len, at;
};

/* Some of the places: [from, to) of a sorted array. */
struct span {
    struct vmcp_json_place *from, *to;
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

/* The order of pointers is that of their decoded tokens, so that those of one object or array
 * stand together: the end first, then the end of a token, then its bytes. */
enum { END = 0, SLASH = 1, BYTE = 2 };

/* Take one byte off a pointer (RFC 6901, section 4). */
static int take(const char **pointer)
{
    const char *p = *pointer;
    if (!*p)
        return END;
    *pointer = p + 1;
    if (*p == '/')
        return SLASH;
    if (*p != '~' || (p[1] != '0' && p[1] != '1'))
        return BYTE + (unsigned char)*p;
    *pointer = p + 2;
    return BYTE + (p[1] == '0' ? '~' : '/');
}

static int by_pointer(const void *x, const void *y)
{
    const char *a = ((const struct vmcp_json_place *)x)->pointer;
    const char *b = ((const struct vmcp_json_place *)y)->pointer;
    int ca, cb;
    do {
        ca = take(&a);
        cb = take(&b);
    } while (ca == cb && ca != END);
    return ca - cb;
}

static int by_offset(const void *x, const void *y)
{
    const struct vmcp_json_place *a = x, *b = y;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* The next token of a place against a member's name. */
static int compare(const struct vmcp_json_place *place, const char *name, size_t len)
{
    const char *p = place->rest + 1;
    for (size_t i = 0; i < len; i++) {
        int c = take(&p);
        if (c != BYTE + (unsigned char)name[i])
            return c - (BYTE + (unsigned char)name[i]);
    }
    return take(&p) >= BYTE ? 1 : 0;
}

/* The first place of the span whose next token is not before `name`, or behind it. */
static struct vmcp_json_place *bound(struct span s, const char *name, size_t len, bool behind)
{
    while (s.from < s.to) {
        struct vmcp_json_place *middle = s.from + (s.to - s.from) / 2;
        int order = compare(middle, name, len);
        if (order < 0 || (behind && order == 0))
            s.from = middle + 1;
        else
            s.to = middle;
    }
    return s.from;
}

/* Those of the span that lead into the member `name`, whose key and value stand there. */
static struct span enter(struct span s, const char *name, size_t len, size_t key, size_t value)
{
    struct span in = {bound(s, name, len, false), bound(s, name, len, true)};
    for (struct vmcp_json_place *p = in.from; p < in.to; p++) {
        p->offset = p->at_key ? key : value;
        do
            p->rest++;
        while (*p->rest && *p->rest != '/');
    }
    return in;
}

/* Back to where enter() found them: the next member is held against the same tokens. */
static void leave(struct span in)
{
    for (struct vmcp_json_place *p = in.from; p < in.to; p++)
        do
            p->rest--;
        while (*p->rest != '/');
}

/* enter() for the string token text[from, to): what counts is what the key means, not how it is
 * spelled. */
static struct span enter_key(struct span s, const struct walk *w, size_t from, size_t to)
{
    const char *name = w->text + from + 1;
    size_t len = to - from - 2;
    if (!memchr(name, '\\', len))
        return enter(s, name, len, from, w->at);
    json_auto_t *decoded = json_loadb(w->text + from, to - from, JSON_DECODE_ANY, NULL);
    if (!decoded)
        return (struct span){s.from, s.from};
    return enter(s, json_string_value(decoded), json_string_length(decoded), from, w->at);
}

/* Walk over one value and find the places of the span, which all lead to it or below. */
static void walk_value(struct walk *w, struct span s)
{
    char open = peek(w), c;
    while (s.from < s.to && *s.from->rest != '/')
        s.from++; /* this is it */
    while (s.from < s.to && *s.to[-1].rest != '/')
        s.to--; /* no pointers at all */
    if (s.from == s.to || (open != '{' && open != '[')) {
        skip_value(w);
        return;
    }
    w->at++;
    for (size_t i = 0; (c = peek(w)) && c != '}' && c != ']'; i++) {
        size_t from = w->at;
        struct span in;
        if (open == '{') {
            skip_string(w);
            size_t to = w->at;
            (void)peek(w);
            w->at++; /* the colon */
            (void)peek(w);
            in = enter_key(s, w, from, to);
        } else {
            char index[24];
            int len = snprintf(index, sizeof(index), "%zu", i);
            in = enter(s, index, (size_t)len, from, from);
        }
        walk_value(w, in);
        leave(in);
        if (peek(w) == ',')
            w->at++;
    }
    w->at++;
}

/* Line and column of `offset`, counted on from where the last ones were found. */
static struct vmcp_json_pos count_on(const char *text, size_t offset, size_t *line, size_t *start)
{
    const char *from = text + *start, *end = text + offset;
    for (const char *n; (n = memchr(from, '\n', (size_t)(end - from))) != NULL; from = n + 1)
        ++*line;
    *start = (size_t)(from - text);
    return (struct vmcp_json_pos){.line = *line, .column = offset - *start + 1};
}

void vmcp_json_locate_all(const char *text, size_t len, struct vmcp_json_place *places,
                          size_t count)
{
    struct walk w = {text, len, 0};
    size_t line = 1, start = 0;
    if (!count)
        return;
    (void)peek(&w);
    for (size_t i = 0; i < count; i++) {
        places[i].rest = places[i].pointer;
        places[i].offset = w.at;
    }
    qsort(places, count, sizeof(*places), by_pointer);
    walk_value(&w, (struct span){places, places + count});
    qsort(places, count, sizeof(*places), by_offset);
    for (size_t i = 0; i < count; i++)
        places[i].pos = count_on(text, places[i].offset, &line, &start);
}

struct vmcp_json_pos vmcp_json_locate(const char *text, size_t len, const char *pointer,
                                      bool at_key)
{
    struct vmcp_json_place place = {.pointer = pointer, .at_key = at_key};
    vmcp_json_locate_all(text, len, &place, 1);
    return place.pos;
}

struct vmcp_json_pos vmcp_json_position(const char *text, size_t offset)
{
    size_t line = 1, start = 0;
    return count_on(text, offset, &line, &start);
}
