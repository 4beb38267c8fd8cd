/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <stdio.h>
#include <string.h>

/* A reader that hands out the parts between slashes. */
struct parts {
    const char *rest; /* NULL at the end */
    bool bad;
};

static void next(struct parts *p, char ret[static EMU_REF_PART])
{
    ret[0] = '\0';
    if (p->bad || !p->rest) {
        p->bad = true;
        return;
    }
    size_t len = strcspn(p->rest, "/");
    if (len == 0 || len >= EMU_REF_PART) {
        p->bad = true;
        return;
    }
    memcpy(ret, p->rest, len);
    ret[len] = '\0';
    p->rest = p->rest[len] ? p->rest + len + 1 : NULL;
}

const char *emu_ref_skip_base(const char *text)
{
    const char *host = strstr(text, "://");
    if (!host)
        return text;
    const char *path = strchr(host + 3, '/');
    if (!path)
        return "";
    static const char *const bases[] = {"/compute/v1/", "/compute/beta/", "/compute/alpha/"};
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
        if (strncmp(path, bases[i], strlen(bases[i])) == 0)
            return path + strlen(bases[i]);
    return "";
}

bool emu_ref_parse(const char *text, struct emu_ref *ret)
{
    *ret = (struct emu_ref){0};
    struct parts p = {.rest = emu_ref_skip_base(text)};
    char word[EMU_REF_PART] = "";
    next(&p, word);
    if (!p.bad && strcmp(word, "projects") == 0) {
        next(&p, ret->project);
        next(&p, word);
    }
    if (!p.bad && (strcmp(word, "zones") == 0 || strcmp(word, "regions") == 0)) {
        char place[EMU_REF_PART] = "";
        next(&p, place);
        int len = snprintf(ret->scope, sizeof(ret->scope), "%s/%s", word, place);
        if (len < 0 || (size_t)len >= sizeof(ret->scope))
            return false;
        next(&p, word);
    } else if (!p.bad && strcmp(word, "global") == 0) {
        memcpy(ret->scope, word, sizeof(word));
        next(&p, word);
    }
    if (p.bad)
        return false;
    if (p.rest) {
        memcpy(ret->collection, word, sizeof(word));
        next(&p, word);
    }
    ret->family = strcmp(word, "family") == 0 || strcmp(ret->collection, "family") == 0 ||
                  strcmp(ret->collection, "imageFamilyViews") == 0;
    if (p.rest && strcmp(word, "family") == 0)
        next(&p, word);
    memcpy(ret->name, word, sizeof(word));
    return !p.bad && !p.rest;
}

bool emu_ref_parse_as(const char *text, const char *collection, struct emu_ref *ret)
{
    if (!emu_ref_parse(text, ret))
        return false;
    if (!ret->collection[0])
        snprintf(ret->collection, sizeof(ret->collection), "%s", collection);
    /* `family/F` alone, and the view of a family in a zone, name images too. */
    if (strcmp(collection, "images") == 0 && ret->family)
        return true;
    return strcmp(ret->collection, collection) == 0;
}
