/* SPDX-License-Identifier: Apache-2.0 */
#include "origins.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "encryption.h"
#include "lib/auto.h"
#include "lib/json.h"
#include "merge.h"

enum { PATH_SIZE = 200 };

/* Is `path` the part at `above`, or below it? */
static bool is_below(const char *path, const char *above)
{
    size_t len = strlen(above);
    return strncmp(path, above, len) == 0 &&
           (path[len] == '\0' || path[len] == '.' || path[len] == '[');
}

/* The words for the nearest path above. */
static const char *words_for(const json_t *from, const char *path)
{
    const char *best = NULL;
    size_t best_len = 0;
    json_t *object = (json_t *)(uintptr_t)from;
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        if (is_below(path, key) && strlen(key) >= best_len) {
            best = json_string_value(json_object_iter_value(i));
            best_len = strlen(key);
        }
    }
    return best;
}

/* Take the value of one path out of a `gce` part; NULL where it says nothing about it. */
static const json_t *find(const json_t *value, const char *path)
{
    while (value && *path) {
        char key[PATH_SIZE];
        size_t len = strcspn(path, ".["), index = 0;
        if (len) {
            snprintf(key, sizeof(key), "%.*s", (int)len, path);
            value = json_object_get(value, key);
            path += len;
        } else if (sscanf(path, "[%zu]", &index) == 1) {
            value = json_array_get(value, index);
            path += strcspn(path, "]") + 1;
        } else {
            return NULL;
        }
        path += *path == '.';
    }
    return value;
}

/* Metadata may be said as items: as an object both sides have the same paths. A new reference. */
static json_t *normalised(const json_t *gce)
{
    const json_t *items = json_object_get(json_object_get(gce, "metadata"), "items");
    json_t *copy = gce ? json_copy((json_t *)(uintptr_t)gce) : json_object();
    json_t *map = json_is_array(items) ? json_object() : NULL;
    for (size_t i = 0; map && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *key = json_string_value(json_object_get(item, "key"));
        if (key)
            json_object_set(map, key, json_object_get(item, "value"));
    }
    if (map)
        json_object_set_new(copy, "metadata", map);
    return copy;
}

/* What `gce` says in vain. */
static bool is_our_own(const char *path)
{
    return strncmp(path, "metadata.vmcp-", 14) == 0 || strncmp(path, "labels.vmcp-", 12) == 0;
}

static void add_row(json_t *rows, const char *path, const json_t *value, const json_t *gce,
                    const json_t *from)
{
    const char *words = words_for(from, path);
    bool is_signed = find(gce, path) && !is_our_own(path);
    auto_free char *text = launch_is_key_material(path, value) ? strdup(LAUNCH_NOT_SHOWN)
                           : json_is_string(value)             ? strdup(json_string_value(value))
                                                               : vmcp_json_text(value, NULL);
    char said[300];
    if (is_signed && words && strcmp(words, "default") != 0 && json_is_array(value))
        snprintf(said, sizeof(said), "%s; signed gce", words); /* tags are united */
    else
        snprintf(said, sizeof(said), "%s", is_signed ? "signed gce" : words ? words : "default");
    json_array_append_new(
        rows, json_pack("{s:s, s:s, s:s}", "path", path, "value", text ? text : "", "from", said));
}

/* Arrays of objects are walked, those of strings are one value. */
static void walk(json_t *rows, const char *path, const json_t *value, const json_t *gce,
                 const json_t *from)
{
    char below[PATH_SIZE];
    json_t *object = (json_t *)(uintptr_t)value;
    if (json_is_object(value) && json_object_size(value)) {
        for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
            snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "",
                     json_object_iter_key(i));
            walk(rows, below, json_object_iter_value(i), gce, from);
        }
    } else if (json_is_object(json_array_get(value, 0))) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            snprintf(below, sizeof(below), "%s[%zu]", path, i);
            walk(rows, below, json_array_get(value, i), gce, from);
        }
    } else {
        add_row(rows, path, value, gce, from);
    }
}

/* What the draft had and the body has not. */
static void add_removed(json_t *rows, const json_t *gce)
{
    json_t *object = (json_t *)(uintptr_t)gce;
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i))
        if (json_is_null(json_object_iter_value(i)))
            json_array_append_new(rows,
                                  json_pack("{s:s, s:s, s:s}", "path", json_object_iter_key(i),
                                            "value", "(removed)", "from", "signed gce"));
}

int launch_origins_find(const json_t *body, const json_t *gce, const json_t *from, json_t **ret,
                        struct vmcp_error *err)
{
    json_t *rows = json_array();
    json_auto_t *said = normalised(gce);
    if (!rows || !said) {
        json_decref(rows);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a table");
    }
    walk(rows, "", body, said, from);
    add_removed(rows, gce);
    *ret = rows;
    return 0;
}

void launch_origins_add(json_t *origins, const char *path, const char *words)
{
    size_t i;
    json_t *row;
    json_array_foreach(origins, i, row)
    {
        const char *from = json_string_value(json_object_get(row, "from"));
        if (is_below(json_string_value(json_object_get(row, "path")), path))
            json_object_set_new(row, "from", json_sprintf("%s; %s", from, words));
    }
}
