/* SPDX-License-Identifier: Apache-2.0 */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auto.h"
#include "json_locate.h"
#include "limits.h"

/* Room for one more, or NULL. */
static struct vmcp_diag *grow(struct vmcp_diags *diags)
{
    if (diags->count >= VMCP_DIAGS_MAX)
        return NULL;
    if ((diags->count & (diags->count - 1)) == 0) { /* full at each power of two */
        size_t cap = diags->count ? diags->count * 2 : 1;
        struct vmcp_diag *items = realloc(diags->items, cap * sizeof(*items));
        if (!items)
            return NULL;
        diags->items = items;
    }
    return &diags->items[diags->count++];
}

static void add(struct vmcp_diags *diags, bool is_error, enum vmcp_code code, const char *pointer,
                bool at_key, const char *fmt, va_list args) __attribute__((format(printf, 6, 0)));

static void add(struct vmcp_diags *diags, bool is_error, enum vmcp_code code, const char *pointer,
                bool at_key, const char *fmt, va_list args)
{
    if (is_error)
        diags->errors++;
    struct vmcp_diag *d = grow(diags);
    if (!d)
        return;
    *d = (struct vmcp_diag){.is_error = is_error, .code = code, .at_key = at_key};
    snprintf(d->pointer, sizeof(d->pointer), "%s", pointer);
    vsnprintf(d->text, sizeof(d->text), fmt, args);
    vmcp_text_clean(d->text);
}

void vmcp_diag_error(struct vmcp_diags *diags, enum vmcp_code code, const char *pointer,
                     bool at_key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diags, true, code, pointer, at_key, fmt, args);
    va_end(args);
}

void vmcp_diag_warning(struct vmcp_diags *diags, const char *pointer, bool at_key, const char *fmt,
                       ...)
{
    va_list args;
    va_start(args, fmt);
    add(diags, false, VMCP_OK, pointer, at_key, fmt, args);
    va_end(args);
}

void vmcp_diag_into(struct vmcp_diags *diags, size_t offset)
{
    if (diags->count && diags->count < VMCP_DIAGS_MAX)
        diags->items[diags->count - 1].into = offset + 1;
}

/* How many bytes of text a string's first `into` bytes are written with, with its opening quote. An
 * escape may stand for up to three bytes: what it is about then begins with it. */
static size_t written(const char *text, size_t len, size_t into)
{
    size_t at = 1;
    for (size_t told = 0; told < into && at < len && text[at] != '"'; told++) {
        unsigned code = 0;
        if (text[at] != '\\') {
            at++;
            continue;
        }
        if (at + 5 < len && text[at + 1] == 'u' && sscanf(text + at + 2, "%4x", &code) == 1)
            told += code >= 0x800 ? 2 : code >= 0x80;
        at += text[at + 1] == 'u' ? 6 : 2;
    }
    return at;
}

void vmcp_diags_locate(struct vmcp_diags *diags, const char *text, size_t len)
{
    auto_free struct vmcp_json_place *places = calloc(diags->count + 1, sizeof(*places));
    size_t count = 0;
    if (!places)
        return; /* then the pointers have to do */
    for (size_t i = 0; i < diags->count; i++) {
        struct vmcp_diag *d = &diags->items[i];
        if (!d->line)
            places[count++] =
                (struct vmcp_json_place){.pointer = d->pointer, .at_key = d->at_key, .arg = d};
    }
    vmcp_json_locate_all(text, len, places, count);
    for (size_t i = 0; i < count; i++) {
        struct vmcp_diag *d = places[i].arg;
        d->line = places[i].pos.line;
        d->column = places[i].pos.column;
        if (d->into && places[i].offset < len && text[places[i].offset] == '"')
            d->column += written(text + places[i].offset, len - places[i].offset, d->into - 1);
    }
}

static int by_place(const void *x, const void *y)
{
    const struct vmcp_diag *a = x, *b = y;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void vmcp_diags_sort(struct vmcp_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++)
        diags->items[i].order = i;
    if (diags->count)
        qsort(diags->items, diags->count, sizeof(*diags->items), by_place);
}

int vmcp_diags_check(const struct vmcp_diags *diags, struct vmcp_error *err)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct vmcp_diag *d = &diags->items[i];
        if (d->is_error && d->line) {
            char where[64];
            snprintf(where, sizeof(where), "%zu:%zu", d->line, d->column);
            return vmcp_fail_at(err, d->code, where, "%s", d->text);
        }
        if (d->is_error)
            return vmcp_fail_at(err, d->code, d->pointer, "%s", d->text);
    }
    if (diags->errors)
        return vmcp_fail(err, VMCP_E_CONFIG, "errors that there was no room to keep");
    return 0;
}

void vmcp_diags_clear(struct vmcp_diags *diags)
{
    free(diags->items);
    *diags = (struct vmcp_diags){0};
}
