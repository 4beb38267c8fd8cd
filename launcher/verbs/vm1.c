/* SPDX-License-Identifier: Apache-2.0 */
#include "vm1.h"

#include <stdio.h>
#include <string.h>

#include "cloud/resource.h"
#include "lib/json.h"
#include "plan/merge.h"
#include "plan/rules.h"
#include "plan/schema.h"

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for VM-1");
}

static int set(json_t *object, const char *key, json_t *value, struct vmcp_error *err)
{
    return json_object_set_new(object, key, value) < 0 ? no_memory(err) : 0;
}

/* gcloud's short names, or a whole scope. */
static const char *scope_url(const char *scope)
{
    static const char *const names[][2] = {
        {"cloud-platform", "https://www.googleapis.com/auth/cloud-platform"},
        {"compute", "https://www.googleapis.com/auth/compute"},
        {"compute-rw", "https://www.googleapis.com/auth/compute"},
        {"compute-ro", "https://www.googleapis.com/auth/compute.readonly"},
    };
    static const char prefix[] = "https://www.googleapis.com/auth/";
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i][0], scope) == 0)
            return names[i][1];
    size_t len = strlen(prefix);
    bool whole = strncmp(scope, prefix, len) == 0 && scope[len] &&
                 !scope[len + strspn(scope + len, "abcdefghijklmnopqrstuvwxyz-._")];
    return whole ? scope : NULL;
}

/* One --scopes value: one scope, or several with commas between. */
static int add_scopes(json_t *scopes, const char *value, struct vmcp_error *err)
{
    for (const char *p = value; *p; p += strcspn(p, ","), p += *p == ',') {
        char scope[128];
        snprintf(scope, sizeof(scope), "%.*s", (int)strcspn(p, ","), p);
        const char *url = scope_url(scope);
        if (!url)
            return vmcp_fail(err, VMCP_E_USAGE,
                             "--scopes %s: compute, cloud-platform or a whole "
                             "https://www.googleapis.com/auth/… is wanted",
                             scope);
        if (json_array_append_new(scopes, json_string(url)) < 0)
            return no_memory(err);
    }
    return 0;
}

static int add_account(const struct launch_vm1 *vm1, json_t *body, struct vmcp_error *err)
{
    int rc = 0;
    if (!vm1->service_account)
        return 0;
    if (!launch_is_account(vm1->service_account))
        return vmcp_fail(err, VMCP_E_USAGE, "--service-account: an e-mail address is wanted");
    json_t *scopes = json_array();
    for (size_t i = 0; rc == 0 && i < vm1->scopes.count; i++)
        rc = add_scopes(scopes, vm1->scopes.items[i], err);
    if (rc == 0 && !json_array_size(scopes))
        rc = add_scopes(scopes, "compute", err); /* all that the launcher needs */
    if (rc < 0) {
        json_decref(scopes);
        return rc;
    }
    return set(body, "serviceAccounts",
               json_pack("[{s:s, s:o}]", "email", vm1->service_account, "scopes", scopes), err);
}

static int add_network(const struct launch_vm1 *vm1, json_t *body, struct vmcp_error *err)
{
    json_t *nic = json_object();
    if (vm1->network || !vm1->subnetwork)
        json_object_set_new(nic, "network",
                            json_string(vm1->network ? vm1->network : "global/networks/default"));
    if (vm1->subnetwork)
        json_object_set_new(nic, "subnetwork", json_string(vm1->subnetwork));
    if (vm1->external_ip)
        json_object_set_new(
            nic, "accessConfigs",
            json_pack("[{s:s, s:s}]", "type", "ONE_TO_ONE_NAT", "name", "External NAT"));
    return set(body, "networkInterfaces", json_pack("[o]", nic), err);
}

static int add_disk(const struct launch_vm1_facts *facts, json_t *body, struct vmcp_error *err)
{
    char size[24];
    int64_t gb = facts->image->size_gb > 10 ? facts->image->size_gb : 10;
    snprintf(size, sizeof(size), "%lld", (long long)gb);
    return set(body, "disks",
               json_pack("[{s:b, s:b, s:{s:s, s:s}}]", "boot", 1, "autoDelete", 1,
                         "initializeParams", "sourceImage", facts->image->path, "diskSizeGb", size),
               err);
}

static int set_list(json_t *metadata, const char *key, const struct vmcp_list *list,
                    struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(65536);
    if (!list->count)
        return 0;
    for (size_t i = 0; i < list->count; i++)
        vmcp_buf_addf(&text, "%s%s", i ? "," : "", list->items[i]);
    int rc = vmcp_buf_check(&text, key, err);
    return rc < 0 ? rc : set(metadata, key, json_string(text.data), err);
}

/* The bounds that VM-1 will hold its machines to. */
static int add_bounds(const struct launch_settings *s, json_t *metadata, struct vmcp_error *err)
{
    int rc = set_list(metadata, "vmcp-allow-service-account", &s->allow_service_accounts, err);
    if (rc == 0)
        rc = set_list(metadata, "vmcp-allow-image-project", &s->allow_image_projects, err);
    if (rc == 0)
        rc = set_list(metadata, "vmcp-allow-resource-project", &s->allow_resource_projects, err);
    if (rc == 0)
        rc = set_list(metadata, "vmcp-allow-machine-type", &s->allow_machine_types, err);
    if (rc == 0)
        rc = set_list(metadata, "vmcp-allow-private-key", &s->allow_private_keys, err);
    if (rc == 0 && s->allow_external_ip)
        rc = set(metadata, "vmcp-allow-external-ip", json_string("TRUE"), err);
    if (rc == 0 && s->allow_disk_delete)
        rc = set(metadata, "vmcp-allow-disk-delete", json_string("TRUE"), err);
    return rc;
}

static int add_metadata(const struct launch_vm1 *vm1, const struct launch_vm1_facts *facts,
                        json_t *body, struct vmcp_error *err)
{
    char serial[24];
    snprintf(serial, sizeof(serial), "%lld", (long long)facts->serial);
    json_t *m =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "startup-script", facts->script,
                  "block-project-ssh-keys", "TRUE", "vmcp-endpoint", facts->endpoint,
                  "vmcp-machine", facts->machine, "vmcp-domain", facts->domain, "vmcp-trust",
                  facts->trust_pem, "vmcp-min-serial", serial, "vmcp-bootstrap", facts->mark);
    int rc = set(body, "metadata", m, err);
    if (rc == 0 && vm1->settings.allow_http)
        rc = set(m, "vmcp-allow-http", json_string("TRUE"), err);
    if (rc == 0 && facts->credentials)
        rc = set(m, "service-credentials", json_string(facts->credentials), err);
    return rc < 0 ? rc : add_bounds(&vm1->settings, m, err);
}

static int add_rest(const struct launch_vm1 *vm1, const struct launch_vm1_facts *facts,
                    json_t *body, struct vmcp_error *err)
{
    const char *type = vm1->machine_type ? vm1->machine_type : "e2-small";
    char path[LAUNCH_PATH_MAX], domain[LAUNCH_LABEL_MAX + 1], machine[LAUNCH_LABEL_MAX + 1];
    if (!launch_is_label(type))
        return vmcp_fail(err, VMCP_E_USAGE, "--machine-type: a short name is wanted, as e2-small");
    snprintf(path, sizeof(path), "zones/%s/machineTypes/%s", vm1->settings.zones.items[0], type);
    launch_label_value(facts->domain, domain);
    launch_label_value(facts->machine, machine);
    int rc = set(body, "machineType", json_string(path), err);
    if (rc == 0)
        rc = set(body, "labels",
                 json_pack("{s:s, s:s, s:s}", "vmcp-domain", domain, "vmcp-launches", machine,
                           "vmcp-role", "launcher"),
                 err);
    if (rc == 0 && facts->image->uefi)
        rc = set(body, "shieldedInstanceConfig",
                 json_pack("{s:b, s:b, s:b}", "enableSecureBoot", 1, "enableVtpm", 1,
                           "enableIntegrityMonitoring", 1),
                 err);
    return rc;
}

int launch_vm1_body(const struct launch_vm1 *vm1, const struct launch_vm1_facts *facts,
                    json_t **ret, struct vmcp_error *err)
{
    json_auto_t *body = json_object();
    if (!body)
        return no_memory(err);
    int rc = set(body, "name", json_string(vm1->name), err);
    if (rc == 0)
        rc = add_rest(vm1, facts, body, err);
    if (rc == 0)
        rc = add_disk(facts, body, err);
    if (rc == 0)
        rc = add_network(vm1, body, err);
    if (rc == 0)
        rc = add_account(vm1, body, err);
    if (rc == 0)
        rc = add_metadata(vm1, facts, body, err);
    if (rc == 0)
        rc = launch_metadata_items(body, err);
    if (rc == 0)
        rc = launch_schema_check(body, err);
    if (rc == 0)
        rc = launch_rules_check(body, facts->image->size_gb, err);
    if (rc == 0)
        *ret = steal(&body);
    else
        vmcp_json_wipe(body); /* of VM-1's key */
    return rc;
}
