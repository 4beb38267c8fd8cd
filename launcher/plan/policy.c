/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <fnmatch.h>
#include <string.h>

#include "cloud/image.h"
#include "cloud/resource.h"
#include "encryption.h"
#include "places.h"
#include "secretscan.h"

static int check_accounts(const json_t *body, const struct launch_settings *settings,
                          struct vmcp_error *err)
{
    const json_t *accounts = json_object_get(body, "serviceAccounts");
    for (size_t i = 0; i < json_array_size(accounts); i++) {
        const char *email =
            json_string_value(json_object_get(json_array_get(accounts, i), "email"));
        if (email && launch_list_has(&settings->allow_service_accounts, email))
            continue;
        char clean[120];
        launch_clean(email ? email : "(none named)", clean, sizeof(clean));
        return vmcp_fail_at(err, VMCP_E_POLICY, "serviceAccounts",
                            "the machine wants the service account %s, which this launcher does "
                            "not allow (--allow-service-account)",
                            clean);
    }
    return 0;
}

static int check_addresses(const json_t *body, const struct launch_settings *settings,
                           struct vmcp_error *err)
{
    const json_t *interfaces = json_object_get(body, "networkInterfaces");
    for (size_t i = 0; i < json_array_size(interfaces); i++) {
        const json_t *nic = json_array_get(interfaces, i);
        if (json_array_size(json_object_get(nic, "accessConfigs")) +
                    json_array_size(json_object_get(nic, "ipv6AccessConfigs")) >
                0 &&
            !settings->allow_external_ip)
            return vmcp_fail_at(err, VMCP_E_POLICY, "networkInterfaces",
                                "the machine wants an external address, which this launcher does "
                                "not allow (--allow-external-ip)");
    }
    return 0;
}

static bool project_allowed(const char *project, const struct launch_settings *settings)
{
    struct launch_image_ref own;
    /* The operator's own --image needs no second permission. */
    if (settings->image &&
        launch_image_parse(settings->image, "images", settings->project, &own, NULL) == 0 &&
        strcmp(own.project, project) == 0)
        return true;
    if (settings->allow_image_projects.count)
        return launch_list_has(&settings->allow_image_projects, project);
    return strcmp(project, "debian-cloud") == 0 || strcmp(project, settings->project) == 0;
}

int launch_policy_project(const char *project, const struct launch_settings *settings,
                          struct vmcp_error *err)
{
    if (project_allowed(project, settings))
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, "disks",
                        "the machine wants a boot source of project %.80s, which this launcher "
                        "does not allow (--allow-image-project)",
                        project);
}

static int check_source(const json_t *source, const char *collection,
                        const struct launch_settings *settings, struct vmcp_error *err)
{
    struct launch_image_ref ref;
    if (!source)
        return 0;
    int rc =
        launch_image_parse(json_string_value(source), collection, settings->project, &ref, err);
    if (rc < 0)
        return rc;
    return launch_policy_project(ref.project, settings, err);
}

/* (zones|regions)/LABEL/disks/LABEL and nothing else: a path may hold `..`. */
static bool is_disk_path(const char *path)
{
    static const char *const roots[] = {"zones/", "regions/"};
    char place[LAUNCH_LABEL_MAX + 1];
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        if (strncmp(path, roots[i], strlen(roots[i])) != 0)
            continue;
        path += strlen(roots[i]);
        size_t len = strcspn(path, "/");
        if (len >= sizeof(place) || strncmp(path + len, "/disks/", 7) != 0)
            return false;
        memcpy(place, path, len);
        place[len] = '\0';
        return launch_is_label(place) && launch_is_label(path + len + 7);
    }
    return false;
}

/* A disk that exists already must be one of our own project, and outlives the VM. */
static int check_existing(const json_t *disk, const struct launch_settings *settings,
                          struct vmcp_error *err)
{
    const json_t *source = json_object_get(disk, "source");
    if (!source)
        return 0;
    if (json_is_true(json_object_get(disk, "autoDelete")) && !settings->allow_disk_delete)
        return vmcp_fail_at(err, VMCP_E_POLICY, "disks",
                            "the machine wants a disk that exists already to be deleted with the "
                            "VM, its data too, which this launcher does not allow "
                            "(--allow-disk-delete)");
    const char *text = json_string_value(source);
    const char *path = text ? launch_resource_path(text) : NULL;
    size_t len = strlen(settings->project);
    if (path && strncmp(path, "projects/", 9) == 0 &&
        strncmp(path + 9, settings->project, len) == 0 && path[9 + len] == '/')
        path += 9 + len + 1;
    if (path && is_disk_path(path))
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, "disks",
                        "a disk that exists already is taken from project %.80s only, as "
                        "zones/ZONE/disks/NAME",
                        settings->project);
}

static int check_disks(const json_t *body, const struct launch_settings *settings,
                       struct vmcp_error *err)
{
    const json_t *disks = json_object_get(body, "disks");
    for (size_t i = 0; i < json_array_size(disks); i++) {
        const json_t *disk = json_array_get(disks, i);
        const json_t *params = json_object_get(disk, "initializeParams");
        int rc = check_source(json_object_get(params, "sourceImage"), "images", settings, err);
        if (rc == 0)
            rc =
                check_source(json_object_get(params, "sourceSnapshot"), "snapshots", settings, err);
        if (rc == 0)
            rc = check_existing(disk, settings, err);
        if (rc < 0)
            return rc;
    }
    /* It would bring disks, accounts and metadata of its own, unseen. */
    if (json_object_get(body, "sourceMachineImage"))
        return vmcp_fail_at(err, VMCP_E_POLICY, "sourceMachineImage",
                            "a machine image carries what cannot be checked here");
    return 0;
}

static int check_machine_type(const json_t *body, const struct launch_settings *settings,
                              struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(body, "machineType"));
    const struct vmcp_list *patterns = &settings->allow_machine_types;
    const char *name = launch_last_part(type ? type : "");
    for (size_t i = 0; i < patterns->count; i++)
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return 0;
    if (!patterns->count)
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, "machineType",
                        "the machine wants %.80s, which no --allow-machine-type names", name);
}

int launch_policy_check(const json_t *body, const struct launch_settings *settings,
                        struct vmcp_error *err)
{
    int rc = check_accounts(body, settings, err);
    if (rc == 0)
        rc = check_addresses(body, settings, err);
    if (rc == 0)
        rc = check_disks(body, settings, err);
    if (rc == 0)
        rc = check_machine_type(body, settings, err);
    if (rc == 0)
        rc = launch_places_check(body, settings, err);
    return rc < 0 ? rc : launch_encryption_check(body, settings, err);
}

int launch_policy_secrets(const json_t *body, const struct vmcp_list *allowed,
                          struct vmcp_error *err)
{
    const json_t *items = json_object_get(json_object_get(body, "metadata"), "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *key = json_string_value(json_object_get(json_array_get(items, i), "key"));
        const json_t *value = json_object_get(json_array_get(items, i), "value");
        if (launch_list_has(allowed, key))
            continue;
        const char *found = launch_secret_find(json_string_value(value), json_string_length(value));
        if (found)
            return vmcp_fail_at(err, VMCP_E_PRIVATE_KEY, key,
                                "this metadata value holds %s, which everything on the VM could "
                                "read (--allow-private-key %s)",
                                found, key);
    }
    return 0;
}

int launch_policy_count(int64_t count, const struct launch_settings *settings,
                        struct vmcp_error *err)
{
    if (count <= settings->max_count)
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, "count",
                        "%lld VMs are wanted, and at most %lld are allowed (--max-count)",
                        (long long)count, (long long)settings->max_count);
}
