/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "fingerprint.h"
#include "insert.h"

enum {
    KEY_MAX = 127,             /* "less than 128 bytes" */
    VALUE_MAX = 262144,        /* one metadata value, bytes */
    METADATA_MAX = 512 * 1024, /* all keys and values of an instance, bytes */
    LABELS_MAX = 64,
    TAGS_MAX = 64,
    FIELD_MAX = 96,
};

static const char lower_digits_dash[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

static bool is_key(const char *key)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(key);
    return len >= 1 && len <= KEY_MAX && strspn(key, allowed) == len;
}

static int check_item(const json_t *item, size_t index, size_t *total, struct emu_refusal *why)
{
    char field[FIELD_MAX];
    const char *key = json_string_value(json_object_get(item, "key"));
    const json_t *value = json_object_get(item, "value");
    size_t len = json_string_length(value);
    snprintf(field, sizeof(field), "resource.metadata.items[%zu].key", index);
    if (!key || !is_key(key))
        return emu_refuse_field(why, field, key ? key : "",
                                "Must be a match of regex '[a-zA-Z0-9-_]+' and be less than 128 "
                                "bytes long.");
    snprintf(field, sizeof(field), "resource.metadata.items[%zu].value", index);
    if (len > VALUE_MAX)
        return emu_refuse(why, 400, "invalid",
                          "Value for field '%s' is too large: maximum size %d character(s); actual "
                          "size %zu.",
                          field, VALUE_MAX, len);
    *total += strlen(key) + len;
    return 0;
}

int emu_insert_metadata(const json_t *metadata, json_t **ret, struct emu_refusal *why)
{
    const json_t *items = json_object_get(metadata, "items");
    json_auto_t *kept = json_array();
    json_auto_t *seen = json_object();
    size_t i = 0, total = 0;
    json_t *item = NULL;
    json_array_foreach(items, i, item)
    {
        int rc = check_item(item, i, &total, why);
        if (rc < 0)
            return rc;
        const char *key = json_string_value(json_object_get(item, "key"));
        const char *value = json_string_value(json_object_get(item, "value"));
        if (json_object_get(seen, key))
            return emu_refuse_field(why, "resource.metadata", key,
                                    "Metadata has duplicate keys: %.128s", key);
        json_object_set_new(seen, key, json_true());
        json_array_append_new(kept,
                              json_pack("{s:s, s:s}", "key", key, "value", value ? value : ""));
    }
    if (total > METADATA_MAX)
        return emu_refuse(why, 400, "invalid",
                          "Metadata is too large: maximum total size %d bytes; actual size %zu.",
                          METADATA_MAX, total);
    *ret =
        json_pack("{s:s, s:o}", "kind", "compute#metadata", "fingerprint", emu_fingerprint(kept));
    if (*ret && json_array_size(kept) > 0)
        json_object_set(*ret, "items", kept);
    return 0;
}

/* RFC 1035 label in lower case: [a-z]([-a-z0-9]*[a-z0-9])?, 1 to 63. */
static bool is_label(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= 63 && text[0] >= 'a' && text[0] <= 'z' &&
           strspn(text, lower_digits_dash) == len && text[len - 1] != '-';
}

int emu_insert_tags(const json_t *tags, json_t **ret, struct emu_refusal *why)
{
    const json_t *items = json_object_get(tags, "items");
    size_t i = 0;
    json_t *tag = NULL;
    json_array_foreach(items, i, tag)
    {
        char field[FIELD_MAX];
        snprintf(field, sizeof(field), "resource.tags.items[%zu]", i);
        if (!is_label(json_string_value(tag)))
            return emu_refuse_field(why, field, json_string_value(tag),
                                    "Must be a match of regex "
                                    "'(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'");
    }
    if (json_array_size(items) > TAGS_MAX)
        return emu_refuse_field(why, "resource.tags", "", "At most %d tags are allowed.", TAGS_MAX);
    *ret = json_pack("{s:o}", "fingerprint", emu_fingerprint(items));
    if (*ret && json_array_size(items) > 0)
        json_object_set_new(*ret, "items", json_deep_copy(items));
    return 0;
}

int emu_insert_labels(json_t *labels, struct emu_refusal *why)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    if (json_object_size(labels) > LABELS_MAX)
        return emu_refuse_field(why, "resource.labels", "", "At most %d labels are allowed.",
                                LABELS_MAX);
    const char *key = NULL;
    json_t *item = NULL;
    json_object_foreach(labels, key, item)
    {
        const char *value = json_string_value(item);
        size_t k = strlen(key), v = strlen(value);
        if (k < 1 || k > 63 || key[0] < 'a' || key[0] > 'z' || strspn(key, allowed) != k)
            return emu_refuse_field(why, "resource.labels", key,
                                    "Label keys must match '[a-z][a-z0-9_-]{0,62}'.");
        if (v > 63 || strspn(value, allowed) != v)
            return emu_refuse_field(why, "resource.labels", value,
                                    "Label values must match '[a-z0-9_-]{0,63}'.");
    }
    return 0;
}

static bool one_of(const char *text, const char *a, const char *b)
{
    return !text || strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

int emu_insert_scheduling(const json_t *scheduling, json_t **ret, struct emu_refusal *why)
{
    const char *model = json_string_value(json_object_get(scheduling, "provisioningModel"));
    const char *maintenance = json_string_value(json_object_get(scheduling, "onHostMaintenance"));
    const json_t *restart = json_object_get(scheduling, "automaticRestart");
    bool spot = json_is_true(json_object_get(scheduling, "preemptible")) ||
                (model && strcmp(model, "SPOT") == 0);
    if (!one_of(model, "STANDARD", "SPOT"))
        return emu_refuse_field(why, "resource.scheduling.provisioningModel", model,
                                "Must be STANDARD or SPOT.");
    if (!one_of(maintenance, "MIGRATE", "TERMINATE"))
        return emu_refuse_field(why, "resource.scheduling.onHostMaintenance", maintenance,
                                "Must be MIGRATE or TERMINATE.");
    if (spot && json_is_true(restart))
        return emu_refuse_field(why, "resource.scheduling", "automaticRestart",
                                "Scheduling must have automatic restart be false when preemptible "
                                "is true.");
    if (spot && maintenance && strcmp(maintenance, "TERMINATE") != 0)
        return emu_refuse_field(why, "resource.scheduling", "onHostMaintenance",
                                "Scheduling must have onHostMaintenance TERMINATE when preemptible "
                                "is true.");
    json_t *made = scheduling ? json_deep_copy(scheduling) : json_object();
    json_object_set_new(made, "onHostMaintenance",
                        json_string(maintenance ? maintenance
                                    : spot      ? "TERMINATE"
                                                : "MIGRATE"));
    json_object_set_new(made, "automaticRestart",
                        json_boolean(restart ? json_is_true(restart) : !spot));
    json_object_set_new(made, "preemptible",
                        json_boolean(json_is_true(json_object_get(scheduling, "preemptible"))));
    json_object_set_new(made, "provisioningModel",
                        json_string(model  ? model
                                    : spot ? "SPOT"
                                           : "STANDARD"));
    *ret = made;
    return 0;
}
