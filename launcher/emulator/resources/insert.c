/* SPDX-License-Identifier: Apache-2.0 */
#include "insert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "fingerprint.h"
#include "images.h"
#include "machine_types.h"
#include "tokens/accounts.h"
#include "zones.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int emu_insert_check_name(const char *field, const char *name, struct emu_refusal *why)
{
    size_t len = name ? strlen(name) : 0;
    if (len < 1 || len > 63 || name[0] < 'a' || name[0] > 'z' || name[len - 1] == '-' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return emu_refuse_field(why, field, name ? name : "",
                                "Must be a match of regex "
                                "'(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'");
    return 0;
}

int emu_insert_check_machine_type(const struct emu_insert_context *context, const char *text,
                                  struct emu_machine_type *ret, struct emu_refusal *why)
{
    struct emu_ref ref;
    char rule[160];
    if (!text || !*text)
        return emu_refuse(why, 400, "required",
                          "Required field 'resource.machineType' not specified");
    if (!emu_ref_parse(text, &ref) || strcmp(ref.collection, "machineTypes") != 0)
        return emu_refuse_field(why, "resource.machineType", text,
                                "The URL is malformed; zones/ZONE/machineTypes/NAME is wanted.");
    if (strncmp(ref.scope, "zones/", 6) != 0 || strcmp(ref.scope + 6, context->zone) != 0)
        return emu_refuse_field(why, "resource.machineType", text,
                                "The machine type must be in the instance's zone, %s.",
                                context->zone);
    if (!emu_machine_type_find(ref.name, ret, rule, sizeof(rule)))
        return emu_refuse_field(why, "resource.machineType", text,
                                "Machine type with name '%s' does not exist in zone '%s'.%s%s",
                                ref.name, context->zone, rule[0] ? " " : "", rule);
    return 0;
}

/* At most one account, of this project. */
int emu_insert_account(const struct emu_insert_context *context, const json_t *accounts,
                       json_t **ret, struct emu_refusal *why)
{
    const json_t *account = json_array_get(accounts, 0);
    const char *email = text_of(account, "email");
    struct vmcp_error err = {0};
    bool exists = false, may = !context->caller; /* the emulator itself may */
    *ret = NULL;
    if (json_array_size(accounts) == 0)
        return 0;
    if (json_array_size(accounts) > 1)
        return emu_refuse_field(why, "resource.serviceAccounts", "",
                                "At most one service account may be assigned to an instance.");
    if (!email || strcmp(email, "default") == 0)
        email = context->default_account;
    if (emu_account_exists(context->store, email, &exists, &err) < 0 ||
        (!may && emu_account_may(context->store, context->caller, "iam.serviceAccounts.actAs", &may,
                                 &err) < 0))
        return emu_refuse_fault(why, &err);
    /* Of the project's accounts, by a role on the project; of another project's, none. */
    if (!exists || !may)
        return emu_refuse(
            why, exists ? 403 : 400, exists ? "forbidden" : "serviceAccountAccessDenied",
            "The user does not have access to service account '%.160s'.  User: '%s'.  "
            "Ask a project owner to grant you the iam.serviceAccountUser role on the "
            "service account",
            email, context->caller ? context->caller : "");
    const json_t *scopes = json_object_get(account, "scopes");
    *ret = json_pack("[{s:s, s:o}]", "email", email, "scopes",
                     scopes ? json_deep_copy(scopes) : json_array());
    return 0;
}

/* Secure boot, vTPM and integrity monitoring, with the API's defaults; the latter two need UEFI. */
static json_t *plan_shielded(const json_t *asked)
{
    const json_t *vtpm = json_object_get(asked, "enableVtpm");
    const json_t *integrity = json_object_get(asked, "enableIntegrityMonitoring");
    return json_pack("{s:b, s:b, s:b}", "enableSecureBoot",
                     (int)json_is_true(json_object_get(asked, "enableSecureBoot")), "enableVtpm",
                     (int)(!vtpm || json_is_true(vtpm)), "enableIntegrityMonitoring",
                     (int)(!integrity || json_is_true(integrity)));
}

static int check_hostname(const char *hostname, struct emu_refusal *why)
{
    if (!hostname || !*hostname)
        return 0;
    size_t len = strlen(hostname);
    if (len > 253 || !strchr(hostname, '.') || hostname[0] == '.' || hostname[len - 1] == '.' ||
        strstr(hostname, "..") || strspn(hostname, "abcdefghijklmnopqrstuvwxyz0123456789-.") != len)
        return emu_refuse_field(why, "resource.hostname", hostname,
                                "Must be a fully qualified domain name.");
    return 0;
}

/* What is answered as it was sent. */
static void copy_rest(const json_t *body, json_t *resource)
{
    static const char *const members[] = {
        "description",
        "hostname",
        "labels",
        "guestAccelerators",
        "minCpuPlatform",
        "confidentialInstanceConfig",
        "advancedMachineFeatures",
        "reservationAffinity",
        "resourcePolicies",
        "displayDevice",
        "keyRevocationActionType",
        "networkPerformanceConfig",
        "privateIpv6GoogleAccess",
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(body, members[i]);
        if (value)
            json_object_set(resource, members[i], value);
    }
}

/* The checked parts of an instance. */
struct parts {
    struct emu_machine_type type;
    json_t *disks, *nics, *metadata, *tags, *accounts, *scheduling;
};

static void parts_clear(struct parts *parts)
{
    json_decref(parts->disks);
    json_decref(parts->nics);
    json_decref(parts->metadata);
    json_decref(parts->tags);
    json_decref(parts->accounts);
    json_decref(parts->scheduling);
}

static int plan_parts(const struct emu_insert_context *context, const json_t *body,
                      struct parts *parts, struct emu_instance *instance, struct emu_refusal *why)
{
    int rc = emu_insert_check_name("resource.name", text_of(body, "name"), why);
    if (rc == 0)
        rc =
            emu_insert_check_machine_type(context, text_of(body, "machineType"), &parts->type, why);
    if (rc == 0)
        rc = check_hostname(text_of(body, "hostname"), why);
    if (rc == 0)
        rc = emu_insert_labels(json_object_get(body, "labels"), why);
    if (rc == 0)
        rc = emu_insert_disks(context, text_of(body, "name"), json_object_get(body, "disks"),
                              instance, &parts->disks, why);
    if (rc == 0)
        rc = emu_insert_nics(context, json_object_get(body, "networkInterfaces"), &instance->ip,
                             &parts->nics, why);
    if (rc == 0)
        rc = emu_insert_metadata(json_object_get(body, "metadata"), &parts->metadata, why);
    if (rc == 0)
        rc = emu_insert_tags(json_object_get(body, "tags"), &parts->tags, why);
    if (rc == 0)
        rc = emu_insert_account(context, json_object_get(body, "serviceAccounts"), &parts->accounts,
                                why);
    if (rc == 0)
        rc = emu_insert_scheduling(json_object_get(body, "scheduling"), &parts->scheduling, why);
    return rc;
}

static json_t *make_resource(const struct emu_insert_context *context, const json_t *body,
                             const struct parts *parts)
{
    const char *name = text_of(body, "name");
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_t *resource = json_pack(
        "{s:s, s:s, s:s, s:O, s:o, s:s, s:o, s:b, s:O, s:O, s:O, s:o, s:O, s:s, s:o, s:b, s:b, s:o,"
        " s:{s:b}}",
        "kind", "compute#instance", "creationTimestamp", now, "name", name, "tags", parts->tags,
        "machineType",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/machineTypes/%s", context->project,
                     context->zone, parts->type.name),
        "status", "PROVISIONING", "zone",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", context->project, context->zone),
        "canIpForward", (int)json_is_true(json_object_get(body, "canIpForward")),
        "networkInterfaces", parts->nics, "disks", parts->disks, "metadata", parts->metadata,
        "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/instances/%s", context->project,
                     context->zone, name),
        "scheduling", parts->scheduling, "cpuPlatform", "Intel Broadwell", "labelFingerprint",
        emu_fingerprint(json_object_get(body, "labels")), "startRestricted", 0,
        "deletionProtection", (int)json_is_true(json_object_get(body, "deletionProtection")),
        "shieldedInstanceConfig", plan_shielded(json_object_get(body, "shieldedInstanceConfig")),
        "shieldedInstanceIntegrityPolicy", "updateAutoLearnPolicy", 1);
    if (resource && parts->accounts)
        json_object_set(resource, "serviceAccounts", parts->accounts);
    if (resource)
        copy_rest(body, resource);
    return resource;
}

int emu_insert_plan(const struct emu_insert_context *context, const json_t *body,
                    struct emu_instance *ret, struct emu_refusal *why)
{
    auto_instance struct emu_instance instance = {0};
    VMCP_AUTO(parts_clear) struct parts parts = {0};
    int rc = plan_parts(context, body, &parts, &instance, why);
    if (rc < 0)
        return rc;
    instance.resource = make_resource(context, body, &parts);
    if (!instance.resource)
        return emu_refuse(why, 500, "backendError", "No memory for an instance.");
    snprintf(instance.zone, sizeof(instance.zone), "%s", context->zone);
    snprintf(instance.name, sizeof(instance.name), "%s", text_of(body, "name"));
    instance.cpus = parts.type.cpus;
    *ret = instance;
    instance = (struct emu_instance){0};
    return 0;
}
