/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include <stdint.h>
#include <string.h>

#include "lib/auto.h"

enum {
    KEY_MAX = 127,
    VALUE_MAX = 256 * 1024,
    TOTAL_MAX = 512 * 1000 /* documented as 512 KB: the smaller reading */
};

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a plan");
}

/* jansson's iterators want an object that may be changed; the objects here are only read. */
static json_t *readable(const json_t *object)
{
    return (json_t *)(uintptr_t)object;
}

static int patch_member(json_t *target, const char *key, const json_t *value,
                        struct vmcp_error *err)
{
    if (json_is_null(value)) {
        json_object_del(target, key);
        return 0;
    }
    if (!json_is_object(value)) {
        json_t *copy = json_deep_copy(value);
        return json_object_set_new(target, key, copy) < 0 ? no_memory(err) : 0;
    }
    if (!json_is_object(json_object_get(target, key)) &&
        json_object_set_new(target, key, json_object()) < 0)
        return no_memory(err);
    return launch_merge_patch(json_object_get(target, key), value, err);
}

int launch_merge_patch(json_t *target, const json_t *patch, struct vmcp_error *err)
{
    const char *key;
    json_t *value;
    int rc = 0;
    json_object_foreach(readable(patch), key, value)
    {
        rc = patch_member(target, key, value, err);
        if (rc < 0)
            break;
    }
    return rc;
}

/* One signed metadata entry. A null removes the key, as in a merge patch. */
static int merge_entry(json_t *map, const char *key, const json_t *value, bool with_user_data,
                       struct vmcp_error *err)
{
    if (strncasecmp(key, "vmcp-", 5) == 0)
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.metadata",
                            "keys that begin with vmcp- are the launcher's own");
    bool script = strcmp(key, "startup-script") == 0 || strcmp(key, "startup-script-url") == 0;
    if (script && with_user_data)
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.metadata",
                            "a %s stands beside userData; only one of them can run", key);
    if (json_is_null(value)) {
        json_object_del(map, key);
        return 0;
    }
    if (!json_is_string(value))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.metadata",
                            "the value of `%.64s` is not a string", key);
    return json_object_set_new(map, key, json_deep_copy(value)) < 0 ? no_memory(err) : 0;
}

static int merge_items(json_t *map, const json_t *items, bool with_user_data,
                       struct vmcp_error *err)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *key = json_string_value(json_object_get(item, "key"));
        const json_t *value = json_object_get(item, "value");
        if (!key || !json_is_string(value) || json_object_size(item) != 2)
            return vmcp_fail_at(err, VMCP_E_PLAN, "gce.metadata.items",
                                "each is {\"key\": …, \"value\": …}, both strings");
        int rc = merge_entry(map, key, value, with_user_data, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int merge_metadata(json_t *map, const json_t *metadata, bool with_user_data,
                          struct vmcp_error *err)
{
    const json_t *items = json_object_get(metadata, "items");
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.metadata", "an object of strings is wanted");
    if (json_is_array(items) && json_object_size(metadata) == 1)
        return merge_items(map, items, with_user_data, err);
    json_object_foreach(readable(metadata), key, value)
    {
        int rc = merge_entry(map, key, value, with_user_data, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool array_has(const json_t *array, const char *string)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (s && strcmp(s, string) == 0)
            return true;
    }
    return false;
}

static int merge_tags(json_t *draft, const json_t *tags, struct vmcp_error *err)
{
    const json_t *more = json_object_get(tags, "items");
    json_t *items = json_object_get(json_object_get(draft, "tags"), "items");
    if (!json_is_object(tags) || json_object_size(tags) != 1 || !json_is_array(more))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.tags", "{\"items\": [\"TAG\", …]} is wanted");
    if (!items)
        return patch_member(draft, "tags", tags, err);
    for (size_t i = 0; i < json_array_size(more); i++) {
        const char *tag = json_string_value(json_array_get(more, i));
        if (!tag)
            return vmcp_fail_at(err, VMCP_E_PLAN, "gce.tags.items", "a tag is a string");
        if (!array_has(items, tag) && json_array_append_new(items, json_string(tag)) < 0)
            return no_memory(err);
    }
    return 0;
}

/* The boot disk: a disk that exists or a snapshot takes the place of the image. */
static int merge_boot_disk(json_t *disk, const json_t *over, struct vmcp_error *err)
{
    const json_t *params = json_object_get(over, "initializeParams");
    if (!json_is_object(over))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.disks[0]", "an object is wanted");
    if (json_object_get(over, "source")) {
        json_object_del(disk, "initializeParams");
        json_object_del(disk, "autoDelete"); /* its data is older than the VM */
    }
    if (json_object_get(params, "sourceSnapshot"))
        json_object_del(json_object_get(disk, "initializeParams"), "sourceImage");
    if (json_object_get(over, "diskSizeGb")) /* a size of its own, at the other place */
        json_object_del(json_object_get(disk, "initializeParams"), "diskSizeGb");
    return launch_merge_patch(disk, over, err);
}

static int merge_disks(json_t *disks, const json_t *over, struct vmcp_error *err)
{
    if (!json_is_array(over) || !json_array_size(over))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce.disks",
                            "an array is wanted, whose first disk is the boot disk");
    int rc = merge_boot_disk(json_array_get(disks, 0), json_array_get(over, 0), err);
    for (size_t i = 1; rc == 0 && i < json_array_size(over); i++)
        if (json_array_append_new(disks, json_deep_copy(json_array_get(over, i))) < 0)
            rc = no_memory(err);
    return rc;
}

int launch_merge_gce(json_t *draft, const json_t *gce, bool with_user_data, struct vmcp_error *err)
{
    json_auto_t *rest = json_copy(readable(gce)); /* shallow: members are taken out, not changed */
    const json_t *part;
    int rc = rest ? 0 : no_memory(err);
    if (json_object_get(gce, "name") || json_object_get(gce, "zone"))
        return vmcp_fail_at(err, VMCP_E_PLAN, "gce",
                            "`name` and `zone` cannot be set here: the name is the machine's, the "
                            "zone the launcher's");
    if (rc == 0 && (part = json_object_get(gce, "metadata")))
        rc = merge_metadata(json_object_get(draft, "metadata"), part, with_user_data, err);
    if (rc == 0 && (part = json_object_get(gce, "tags")) && !json_is_null(part))
        rc = merge_tags(draft, part, err);
    if (rc == 0 && (part = json_object_get(gce, "disks")))
        rc = merge_disks(json_object_get(draft, "disks"), part, err);
    if (rc < 0)
        return rc;
    json_object_del(rest, "metadata");
    json_object_del(rest, "disks");
    if (!json_is_null(json_object_get(gce, "tags")))
        json_object_del(rest, "tags");
    return launch_merge_patch(draft, rest, err);
}

static bool is_key(const char *key)
{
    size_t len = strlen(key);
    return len >= 1 && len <= KEY_MAX &&
           strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

int launch_metadata_items(json_t *draft, struct vmcp_error *err)
{
    json_auto_t *items = json_array();
    const char *key;
    json_t *value;
    size_t total = 0;
    json_object_foreach(json_object_get(draft, "metadata"), key, value)
    {
        size_t len = json_string_length(value);
        total += strlen(key) + len;
        if (!is_key(key))
            return vmcp_fail_at(err, VMCP_E_PLAN, "metadata",
                                "`%.64s` is no key; 1 to 127 of A-Z a-z 0-9 - _ are", key);
        if (len > VALUE_MAX || total > TOTAL_MAX)
            return vmcp_fail_at(err, VMCP_E_PLAN, "metadata",
                                "`%s` makes it too large: a value has at most 256 KiB, all of them "
                                "512 KB",
                                key);
        json_t *item = json_pack("{s:s, s:O}", "key", key, "value", value);
        if (json_array_append_new(items, item) < 0)
            return no_memory(err);
    }
    json_t *metadata = json_pack("{s:O}", "items", items);
    return json_object_set_new(draft, "metadata", metadata) < 0 ? no_memory(err) : 0;
}

const char *launch_metadata_item(const json_t *instance, const char *key)
{
    const json_t *items = json_object_get(json_object_get(instance, "metadata"), "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = json_string_value(json_object_get(item, "key"));
        if (name && strcmp(name, key) == 0)
            return json_string_value(json_object_get(item, "value"));
    }
    return NULL;
}
