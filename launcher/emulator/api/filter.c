/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELD_MAX = 128, VALUE_MAX = 256, FILTER_MAX = 2048, NODES_MAX = 64, DEPTH_MAX = 16 };

enum kind {
    AND,
    OR,
    NOT,
    EQUAL,
    UNEQUAL,
    HAS,
    MATCHES,
    MATCHES_NOT,
    LESS,
    MORE,
    AT_MOST,
    AT_LEAST
};

struct node {
    enum kind kind;
    int left, right; /* of AND, OR, NOT: indices of nodes */
    char field[FIELD_MAX];
    char value[VALUE_MAX];
    regex_t regex; /* of MATCHES and MATCHES_NOT */
};

struct emu_filter {
    struct node nodes[NODES_MAX];
    int count, root;
};

/* What is still to be read. */
struct reader {
    const char *p;
    struct emu_filter *filter;
    int depth;
};

static void skip_blanks(struct reader *r)
{
    r->p += strspn(r->p, " \t");
}

/* A word of the grammar in any case, which ends where a name could not go on. */
static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    skip_blanks(r);
    if (strncasecmp(r->p, word, len) != 0 || (r->p[len] && !strchr(" \t(", r->p[len])))
        return false;
    r->p += len;
    return true;
}

/* Copy up to one of `stops`. False if it is empty or too long. */
static bool take(struct reader *r, const char *stops, char *ret, size_t size)
{
    size_t len = strcspn(r->p, stops);
    if (len == 0 || len >= size)
        return false;
    memcpy(ret, r->p, len);
    ret[len] = '\0';
    r->p += len;
    return true;
}

static bool take_operator(struct reader *r, enum kind *ret)
{
    static const struct {
        const char *text;
        enum kind kind;
    } all[] = {{"!=", UNEQUAL}, {"<=", AT_MOST}, {">=", AT_LEAST}, {"=", EQUAL},        {"<", LESS},
               {">", MORE},     {":", HAS},      {"eq ", MATCHES}, {"ne ", MATCHES_NOT}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strncmp(r->p, all[i].text, strlen(all[i].text)) != 0)
            continue;
        r->p += strlen(all[i].text);
        *ret = all[i].kind;
        return true;
    }
    return false;
}

static bool take_value(struct reader *r, char *ret, size_t size)
{
    if (*r->p != '"' && *r->p != '\'')
        return take(r, " \t()", ret, size);
    const char quote[2] = {*r->p++, '\0'};
    ret[0] = '\0';
    if (*r->p != quote[0] && !take(r, quote, ret, size))
        return false;
    if (*r->p != quote[0])
        return false;
    r->p++;
    return true;
}

/* Counts multiply when they nest, and back references are slow: neither is taken. */
static bool is_harmless(const char *pattern)
{
    for (const char *p = pattern; *p; p++) {
        if (*p == '{')
            return false;
        if (*p == '\\' && (p[1] == '\0' || (p[1] >= '0' && p[1] <= '9')))
            return false;
        if (*p == '\\')
            p++;
    }
    return true;
}

static bool compile(struct node *node)
{
    char whole[VALUE_MAX + 8];
    snprintf(whole, sizeof(whole), "^(%s)$", node->value);
    return is_harmless(node->value) && regcomp(&node->regex, whole, REG_EXTENDED | REG_NOSUB) == 0;
}

static int add(struct reader *r, const struct node *node)
{
    if (r->filter->count == NODES_MAX)
        return -1;
    r->filter->nodes[r->filter->count] = *node;
    return r->filter->count++;
}

/* FIELD OPERATOR VALUE. The index of its node, or -1. */
static int read_term(struct reader *r)
{
    struct node node = {0};
    if (!take(r, " \t=!:<>()", node.field, sizeof(node.field)))
        return -1;
    skip_blanks(r);
    if (!take_operator(r, &node.kind))
        return -1;
    skip_blanks(r);
    if (!take_value(r, node.value, sizeof(node.value)) || r->filter->count == NODES_MAX)
        return -1;
    bool matches = node.kind == MATCHES || node.kind == MATCHES_NOT;
    if (matches && !compile(&node))
        return -1;
    return add(r, &node);
}

static int read_or(struct reader *r);

static int read_one(struct reader *r)
{
    if (take_word(r, "NOT")) {
        struct node node = {.kind = NOT};
        if (++r->depth > DEPTH_MAX)
            return -1;
        node.left = read_one(r);
        r->depth--;
        return node.left < 0 ? -1 : add(r, &node);
    }
    skip_blanks(r);
    if (*r->p != '(')
        return read_term(r);
    if (++r->depth > DEPTH_MAX)
        return -1;
    r->p++;
    int inner = read_or(r);
    skip_blanks(r);
    if (inner < 0 || *r->p != ')')
        return -1;
    r->p++;
    r->depth--;
    return inner;
}

static int read_and(struct reader *r)
{
    struct node node = {.kind = AND, .left = read_one(r)};
    for (;;) {
        const char *here = r->p;
        if (node.left < 0 || take_word(r, "OR")) {
            r->p = here;
            return node.left;
        }
        bool word = take_word(r, "AND");
        skip_blanks(r);
        if (!word && (!*r->p || *r->p == ')'))
            return node.left;
        node.right = read_one(r);
        if (node.right < 0)
            return -1;
        node.left = add(r, &node);
    }
}

static int read_or(struct reader *r)
{
    struct node node = {.kind = OR, .left = read_and(r)};
    while (node.left >= 0 && take_word(r, "OR")) {
        node.right = read_and(r);
        if (node.right < 0)
            return -1;
        node.left = add(r, &node);
    }
    return node.left;
}

int emu_filter_read(const char *text, struct emu_filter **ret, struct emu_refusal *why)
{
    *ret = NULL;
    if (!text || !text[strspn(text, " \t")])
        return 0;
    auto_filter struct emu_filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return emu_refuse(why, 500, "backendError", "No memory for a filter.");
    struct reader r = {.p = text, .filter = filter};
    bool good = strlen(text) <= FILTER_MAX;
    filter->root = good ? read_or(&r) : -1;
    skip_blanks(&r);
    if (filter->root < 0 || *r.p)
        return emu_refuse_field(why, "filter", text, "Invalid list filter expression.");
    *ret = steal(&filter);
    return 0;
}

void emu_filter_free(struct emu_filter *filter)
{
    if (!filter)
        return;
    for (int i = 0; i < filter->count; i++)
        if (filter->nodes[i].kind == MATCHES || filter->nodes[i].kind == MATCHES_NOT)
            regfree(&filter->nodes[i].regex);
    free(filter);
}

/* The text of a member, "a.b" being one of an object; numbers and booleans as they are written. */
static const char *text_of(const json_t *item, const char *field, char *buf, size_t size)
{
    char name[FIELD_MAX];
    while (item && *field) {
        size_t len = strcspn(field, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, field);
        item = json_object_get(item, name);
        field += len + (field[len] == '.');
    }
    if (json_is_integer(item)) {
        snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
        return buf;
    }
    if (json_is_boolean(item))
        return json_is_true(item) ? "true" : "false";
    return json_string_value(item);
}

/* As numbers where both are, as text otherwise. */
static int compare(const char *a, const char *b)
{
    char *end_a = NULL, *end_b = NULL;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    if (!*end_a && !*end_b && *a && *b)
        return (x > y) - (x < y);
    return strcmp(a, b);
}

static bool fits_term(const struct node *node, const json_t *item)
{
    char buf[32];
    const char *text = text_of(item, node->field, buf, sizeof(buf));
    switch (node->kind) {
    case EQUAL:
        return text && strcmp(text, node->value) == 0;
    case UNEQUAL:
        return !text || strcmp(text, node->value) != 0;
    case HAS:
        return text && (strcmp(node->value, "*") == 0 || strstr(text, node->value));
    case MATCHES:
        return regexec(&node->regex, text ? text : "", 0, NULL, 0) == 0;
    case MATCHES_NOT:
        return regexec(&node->regex, text ? text : "", 0, NULL, 0) != 0;
    case LESS:
        return text && compare(text, node->value) < 0;
    case MORE:
        return text && compare(text, node->value) > 0;
    case AT_MOST:
        return text && compare(text, node->value) <= 0;
    case AT_LEAST:
        return text && compare(text, node->value) >= 0;
    default:
        return false;
    }
}

/* As deep as the filter was read, and no deeper than its nodes are many. */
static bool fits(const struct emu_filter *filter, int index, const json_t *item)
{
    const struct node *node = &filter->nodes[index];
    switch (node->kind) {
    case AND:
        return fits(filter, node->left, item) && fits(filter, node->right, item);
    case OR:
        return fits(filter, node->left, item) || fits(filter, node->right, item);
    case NOT:
        return !fits(filter, node->left, item);
    default:
        return fits_term(node, item);
    }
}

bool emu_filter_fits(const struct emu_filter *filter, const json_t *item)
{
    return !filter || fits(filter, filter->root, item);
}
