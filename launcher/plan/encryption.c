/* SPDX-License-Identifier: Apache-2.0 */
#include "encryption.h"

#include <stdio.h>
#include <string.h>

#include "cloud/resource.h"
#include "places.h"
#include "secretscan.h"

/* Where keys stand in an Instance; in a disk; in a disk's initializeParams. */
static const char *const of_instance[] = {"instanceEncryptionKey",
                                          "sourceMachineImageEncryptionKey", NULL};
static const char *const of_disk[] = {"diskEncryptionKey", NULL};
static const char *const of_params[] = {"sourceImageEncryptionKey", "sourceSnapshotEncryptionKey",
                                        NULL};
static const char *const material[] = {"rawKey", "rsaEncryptedKey"};

/* What is done with one key (NULL: there is none). */
typedef int (*visit)(void *arg, json_t *key, const char *where, struct vmcp_error *err);

static int visit_members(const json_t *object, const char *const *members, const char *above,
                         visit each, void *arg, struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && members[i]; i++) {
        char where[96];
        snprintf(where, sizeof(where), "%s%s", above, members[i]);
        rc = each(arg, json_object_get(object, members[i]), where, err);
    }
    return rc;
}

static int visit_keys(const json_t *body, visit each, void *arg, struct vmcp_error *err)
{
    const json_t *disks = json_object_get(body, "disks");
    int rc = visit_members(body, of_instance, "", each, arg, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(disks); i++) {
        const json_t *disk = json_array_get(disks, i);
        char above[48];
        snprintf(above, sizeof(above), "disks[%zu].", i);
        rc = visit_members(disk, of_disk, above, each, arg, err);
        snprintf(above, sizeof(above), "disks[%zu].initializeParams.", i);
        if (rc == 0)
            rc = visit_members(json_object_get(disk, "initializeParams"), of_params, above, each,
                               arg, err);
    }
    return rc;
}

struct bounds {
    const struct launch_settings *settings;
};

static int check_key(void *arg, json_t *key, const char *where, struct vmcp_error *err)
{
    const struct bounds *b = arg;
    const char *account = json_string_value(json_object_get(key, "kmsKeyServiceAccount"));
    char clean[120];
    if (account && !launch_list_has(&b->settings->allow_service_accounts, account)) {
        launch_clean(account, clean, sizeof(clean));
        return vmcp_fail_at(err, VMCP_E_POLICY, where,
                            "the machine wants a key used as the service account %s, which this "
                            "launcher does not allow (--allow-service-account)",
                            clean);
    }
    return launch_place_check(json_string_value(json_object_get(key, "kmsKeyName")), where,
                              b->settings, err);
}

int launch_encryption_check(const json_t *body, const struct launch_settings *settings,
                            struct vmcp_error *err)
{
    struct bounds bounds = {.settings = settings};
    return visit_keys(body, check_key, &bounds, err);
}

bool launch_is_key_material(const char *path, const json_t *value)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; i < sizeof(material) / sizeof(*material); i++)
        if (dot && strcmp(dot + 1, material[i]) == 0 && strncmp(path, "metadata.", 9) != 0 &&
            strncmp(path, "labels.", 7) != 0)
            return true;
    return json_is_string(value) &&
           launch_secret_find(json_string_value(value), json_string_length(value));
}

static int hide_key(void *arg, json_t *key, const char *where, struct vmcp_error *err)
{
    (void)where;
    for (size_t i = 0; i < sizeof(material) / sizeof(*material); i++)
        if (json_object_get(key, material[i]) &&
            json_object_set_new(key, material[i], json_string(LAUNCH_NOT_SHOWN)) < 0)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a body");
    (void)arg;
    return 0;
}

json_t *launch_without_keys(const json_t *body)
{
    json_auto_t *copy = json_deep_copy(body);
    const json_t *items = json_object_get(json_object_get(copy, "metadata"), "items");
    if (!copy || visit_keys(copy, hide_key, NULL, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        if (launch_is_key_material("", json_object_get(item, "value")) &&
            json_object_set_new(item, "value", json_string(LAUNCH_NOT_SHOWN)) < 0)
            return NULL;
    }
    return json_incref(copy);
}
