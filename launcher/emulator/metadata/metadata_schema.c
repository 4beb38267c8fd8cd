/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_schema.h"

#include <stdbool.h>
#include <string.h>

#include "lib/auto.h"
#include "tokens/accounts.h"

enum { TEXT, NUMBER, TEXTS, MAP, LIST, FOLDER };

/* Members whose type clients, or we, rely on. All others are served as they are. */
static const struct member {
    const char *folder, *name;
    int type;
} members[] = {
    {"instance", "attributes", MAP},
    {"instance", "cpuPlatform", TEXT},
    {"instance", "description", TEXT},
    {"instance", "disks", LIST},
    {"instance", "guestAttributes", FOLDER},
    {"instance", "hostname", TEXT},
    {"instance", "id", NUMBER},
    {"instance", "image", TEXT},
    {"instance", "licenses", LIST},
    {"instance", "machineType", TEXT},
    {"instance", "maintenanceEvent", TEXT},
    {"instance", "name", TEXT},
    {"instance", "networkInterfaces", LIST},
    {"instance", "partnerAttributes", FOLDER},
    {"instance", "preempted", TEXT},
    {"instance", "remainingCpuTime", NUMBER},
    {"instance", "scheduling", FOLDER},
    {"instance", "serviceAccounts", FOLDER},
    {"instance", "tags", TEXTS},
    {"instance", "virtualClock", FOLDER},
    {"instance", "zone", TEXT},
    {"project", "attributes", MAP},
    {"project", "numericProjectId", NUMBER},
    {"project", "projectId", TEXT},
};

static bool all_texts(const json_t *value)
{
    const char *name = NULL;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(value, i, item) if (!json_is_string(item)) return false;
    json_t *object = (json_t *)(uintptr_t)value;
    json_object_foreach(object, name, item) if (!json_is_string(item)) return false;
    return true;
}

static bool fits(const json_t *value, int type)
{
    switch (type) {
    case TEXT:
        return json_is_string(value);
    case NUMBER:
        return json_is_integer(value);
    case TEXTS:
        return json_is_array(value) && all_texts(value);
    case MAP:
        return json_is_object(value) && all_texts(value);
    case LIST:
        return json_is_array(value);
    default:
        return json_is_object(value);
    }
}

static const char *wanted(int type)
{
    static const char *const words[] = {
        "a string", "an integer", "a list of strings", "an object of strings",
        "a list",   "an object"};
    return words[type];
}

static json_t *empty(int type)
{
    return type == TEXT                    ? json_string("")
           : type == NUMBER                ? json_integer(0)
           : type == TEXTS || type == LIST ? json_array()
                                           : json_object();
}

static int wrong(struct vmcp_error *err, const char *folder, const char *name, const char *want)
{
    return vmcp_fail(err, VMCP_E_CONFIG, "/computeMetadata/v1/%s/%.100s: %s is wanted", folder,
                     name, want);
}

/* Each account is an object with an address and a list of scopes. */
static int check_accounts(const json_t *accounts, struct vmcp_error *err)
{
    const char *name = NULL;
    json_t *account = NULL;
    json_t *object = (json_t *)(uintptr_t)accounts;
    json_object_foreach(object, name, account)
    {
        const char *email = json_string_value(json_object_get(account, "email"));
        const json_t *scopes = json_object_get(account, "scopes");
        const json_t *aliases = json_object_get(account, "aliases");
        if (!email || strlen(email) > EMU_EMAIL_MAX || !fits(scopes, TEXTS) ||
            (aliases && !fits(aliases, TEXTS)))
            return wrong(err, "instance/serviceAccounts", name,
                         "an object with `email`, a string of at most 160 characters, and "
                         "`aliases` and `scopes`, lists of strings,");
    }
    return 0;
}

static int check_member(json_t *tree, const struct member *m, struct vmcp_error *err)
{
    json_t *folder = json_object_get(tree, m->folder);
    const json_t *value = json_object_get(folder, m->name);
    if (!value)
        return json_object_set_new(folder, m->name, empty(m->type)) == 0
                   ? 0
                   : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a file of metadata");
    return fits(value, m->type) ? 0 : wrong(err, m->folder, m->name, wanted(m->type));
}

/* In the order of the names, as VMs list them. */
static int sort(json_t **tree, struct vmcp_error *err)
{
    auto_free char *text = json_dumps(*tree, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *sorted = text ? json_loads(text, 0, NULL) : NULL;
    if (!sorted)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a file of metadata");
    json_decref(*tree);
    *tree = sorted;
    return 0;
}

int emu_metadata_schema_tree(const json_t *document, json_t **ret, struct vmcp_error *err)
{
    static const char *const folders[] = {"instance", "oslogin", "project", "universe"};
    const json_t *v1 = json_object_get(json_object_get(document, "computeMetadata"), "v1");
    json_auto_t *tree = json_is_object(v1) ? json_deep_copy(v1) : NULL;
    if (!tree)
        return vmcp_fail(err, VMCP_E_CONFIG,
                         "not a file of metadata: {\"computeMetadata\": {\"v1\": {\"instance\": …, "
                         "\"project\": …}}} is wanted");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const json_t *folder = json_object_get(tree, folders[i]);
        if (folder && !json_is_object(folder))
            return vmcp_fail(err, VMCP_E_CONFIG, "/computeMetadata/v1/%s: an object is wanted",
                             folders[i]);
        if (!folder)
            json_object_set_new(tree, folders[i], json_object());
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(members) / sizeof(members[0]); i++)
        rc = check_member(tree, &members[i], err);
    json_t *universe = json_object_get(tree, "universe");
    if (!json_object_get(universe, "universeDomain"))
        json_object_set_new(universe, "universeDomain", json_string("googleapis.com"));
    if (rc == 0)
        rc = check_accounts(json_object_get(json_object_get(tree, "instance"), "serviceAccounts"),
                            err);
    if (rc == 0)
        rc = sort(&tree, err);
    if (rc == 0)
        *ret = steal(&tree);
    return rc;
}
