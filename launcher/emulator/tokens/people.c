/* SPDX-License-Identifier: Apache-2.0 */
#include "people.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "keyfile.h"

/* Split EMAIL=REST at the first equals sign; the address is written out in full. */
static int split(const struct emu_cloud *cloud, const char *option, const char *pair,
                 char ret_email[static EMU_EMAIL_MAX + 1], const char **ret_rest,
                 struct vmcp_error *err)
{
    const char *equals = strchr(pair, '=');
    char name[EMU_EMAIL_MAX + 1];
    if (!equals || !equals[1] || (size_t)(equals - pair) >= sizeof(name))
        return vmcp_fail_at(err, VMCP_E_USAGE, pair, "--%s wants EMAIL=%s", option,
                            strcmp(option, "key") == 0 ? "FILE" : "ROLE");
    snprintf(name, sizeof(name), "%.*s", (int)(equals - pair), pair);
    *ret_rest = equals + 1;
    return emu_account_email(name, cloud->project, ret_email, err);
}

const char *emu_people_key_file(const char *pair)
{
    const char *equals = strchr(pair, '=');
    return equals ? equals + 1 : NULL;
}

static int make(struct emu_cloud *cloud, const struct vmcp_list *accounts,
                const struct vmcp_list *grants, const char *own,
                char ret_first[static EMU_EMAIL_MAX + 1], struct vmcp_error *err)
{
    int rc = emu_account_add(cloud->store, cloud->default_account, err);
    if (rc == 0 && *own)
        rc = emu_account_add(cloud->store, own, err);
    if (rc == 0 && *own && accounts->count == 0)
        rc = emu_account_grant(cloud->store, own, "roles/editor", err);
    if (rc == 0 && accounts->count == 0)
        rc = emu_account_grant(cloud->store, cloud->default_account, "roles/editor", err);
    snprintf(ret_first, EMU_EMAIL_MAX + 1, "%s", cloud->default_account);
    for (size_t i = 0; rc == 0 && i < accounts->count; i++) {
        char email[EMU_EMAIL_MAX + 1];
        rc = emu_account_email(accounts->items[i], cloud->project, email, err);
        if (rc == 0)
            rc = emu_account_add(cloud->store, email, err);
        if (rc == 0 && i == 0)
            memcpy(ret_first, email, sizeof(email));
    }
    if (*own)
        snprintf(ret_first, EMU_EMAIL_MAX + 1, "%s", own);
    for (size_t i = 0; rc == 0 && i < grants->count; i++) {
        char email[EMU_EMAIL_MAX + 1];
        const char *role = NULL;
        rc = split(cloud, "grant", grants->items[i], email, &role, err);
        if (rc == 0)
            rc = emu_account_grant(cloud->store, email, role, err);
    }
    return rc;
}

int emu_people_make(struct emu_cloud *cloud, const struct vmcp_list *accounts,
                    const struct vmcp_list *grants, const char *own,
                    char ret_first[static EMU_EMAIL_MAX + 1], struct vmcp_error *err)
{
    int rc = emu_store_begin(cloud->store, err);
    if (rc < 0)
        return rc;
    return emu_store_end(cloud->store, make(cloud, accounts, grants, own, ret_first, err), err);
}

int emu_people_write_keys(struct emu_cloud *cloud, const struct vmcp_list *keys, const char *origin,
                          struct vmcp_error *err)
{
    char uri[128];
    snprintf(uri, sizeof(uri), "%s/token", origin);
    for (size_t i = 0; i < keys->count; i++) {
        char email[EMU_EMAIL_MAX + 1];
        const char *path = NULL;
        bool exists = false;
        int rc = split(cloud, "key", keys->items[i], email, &path, err);
        if (rc == 0)
            rc = emu_account_exists(cloud->store, email, &exists, err);
        if (rc < 0)
            return rc;
        if (!exists)
            return vmcp_fail_at(err, VMCP_E_USAGE, email,
                                "there is no such service account; make it with --service-account");
        const struct emu_keyfile file = {
            .path = path, .email = email, .project = cloud->project, .token_uri = uri};
        rc = emu_keyfile_ensure(cloud->store, &file, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int emu_people_workstation(struct emu_cloud *cloud, const char *email, struct vmcp_error *err)
{
    const struct emu_tree_project project = {.id = cloud->project, .number = cloud->number};
    auto_instance struct emu_instance laptop = {.id = 1, .name = "workstation"};
    snprintf(laptop.zone, sizeof(laptop.zone), "%s", cloud->zone);
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    laptop.resource =
        json_pack("{s:s, s:s, s:s, s:s, s:[], s:[{s:s}], s:[{s:s, s:[s]}], s:{s:b, s:s, s:s}}",
                  "creationTimestamp", now, "machineType", "e2-standard-2", "description",
                  "whoever asks from outside the VMs", "cpuPlatform", "Intel Broadwell", "disks",
                  "networkInterfaces", "networkIP", "127.0.0.1", "serviceAccounts", "email", email,
                  "scopes", EMU_SCOPE "cloud-platform", "scheduling", "automaticRestart", 1,
                  "onHostMaintenance", "MIGRATE", "provisioningModel", "STANDARD");
    if (!laptop.resource)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the workstation's metadata");
    return emu_views_put(cloud->views, &project, &laptop, NULL, true, err);
}
