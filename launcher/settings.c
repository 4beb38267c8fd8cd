/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/resource.h"
#include "lib/json.h"
#include "option_rows.h"

#define AT(field) offsetof(struct launch_settings, field)

enum kind { STRING, LIST, BOOL, INT };

/* The settings that have a source besides their flag. */
static const struct row {
    const char *environment, *attribute;
    enum kind kind;
    size_t offset;
} rows[] = {
    {"VMCP_ENDPOINT", "vmcp-endpoint", STRING, AT(endpoint)},
    {"VMCP_MACHINE", "vmcp-machine", STRING, AT(machine)},
    {"VMCP_DOMAIN", "vmcp-domain", STRING, AT(domain)},
    {"VMCP_FORMAT", NULL, STRING, AT(format)}, /* never metadata: version 1 proves less */
    {"VMCP_TRUST", NULL, STRING, AT(trust_env)},
    {NULL, "vmcp-trust", STRING, AT(trust_attribute)},
    {NULL, "vmcp-allow-http", BOOL, AT(allow_http)},
    {NULL, "vmcp-min-serial", INT, AT(min_serial)},
    {"GOOGLE_CLOUD_PROJECT", NULL, STRING, AT(project)},
    {"CLOUDSDK_COMPUTE_ZONE", NULL, LIST, AT(zones)},
    {"GOOGLE_APPLICATION_CREDENTIALS", NULL, STRING, AT(credentials)},
    {NULL, "service-credentials", STRING, AT(credentials_attribute)},
    {"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", NULL, STRING, AT(api_endpoint)},
    {"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", NULL, STRING, AT(iam_endpoint)},
    {"GOOGLE_CLOUD_UNIVERSE_DOMAIN", NULL, STRING, AT(universe)},
    {NULL, "vmcp-allow-service-account", LIST, AT(allow_service_accounts)},
    {NULL, "vmcp-allow-external-ip", BOOL, AT(allow_external_ip)},
    {NULL, "vmcp-allow-image-project", LIST, AT(allow_image_projects)},
    {NULL, "vmcp-allow-resource-project", LIST, AT(allow_resource_projects)},
    {NULL, "vmcp-allow-disk-delete", BOOL, AT(allow_disk_delete)},
    {NULL, "vmcp-allow-machine-type", LIST, AT(allow_machine_types)},
    {NULL, "vmcp-allow-private-key", LIST, AT(allow_private_keys)},
};

const struct vmcp_option launch_settings_options[] = {
    LAUNCH_ASK_ROWS(AT),
    LAUNCH_CLOUD_ROWS(AT),
    {"image", "IMAGE", VMCP_OPT_STRING, AT(image), 0, 0,
     "boot image (projects/debian-cloud/global/images/family/debian-12)"},
    {"series", "S", VMCP_OPT_STRING, AT(series), 0, 0, "series of custom shapes (e2)"},
    {"name-suffix", "S", VMCP_OPT_STRING, AT(name_suffix), 0, 0, "name the VM NAME-S"},
    {"count", "N", VMCP_OPT_INT, AT(count), 1, VMCP_COUNT_MAX, "VMs, named NAME-1 to NAME-N"},
    LAUNCH_BOUND_ROWS(AT),
    {"parallel", "N", VMCP_OPT_INT, AT(parallel), 1, 64, "how many of them are made at once (16)"},
    {"wait-api", "external", VMCP_OPT_MAYBE, AT(wait_api), 0, 0,
     "wait until the machine's apiPort answers"},
    {"wait-guest", "KEY", VMCP_OPT_STRING, AT(wait_guest), 0, 0,
     "wait until the VM has set this guest attribute, NAMESPACE/KEY"},
    {"accept-drift", NULL, VMCP_OPT_FLAG, AT(accept_drift), 0, 0,
     "start a stopped VM that differs from the plan"},
    {"timeout", "TIME", VMCP_OPT_TIME, AT(timeout), 1, 86400, "for operations (10m)"},
    {"api-timeout", "TIME", VMCP_OPT_TIME, AT(api_timeout), 0, 86400,
     "for --wait-api and --wait-guest (5m)"},
    {"state-dir", "DIR", VMCP_OPT_STRING, AT(state_dir), 0, 0, "where to keep state"},
    {"dry-run", NULL, VMCP_OPT_FLAG, AT(dry_run), 0, 0,
     "send no write; of the state only the local id is made"},
    {"offline", NULL, VMCP_OPT_FLAG, AT(offline), 0, 0,
     "of a plan or dry run: ask the Compute API nothing, use no credentials"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print one JSON object on stdout"},
    {0},
};

/* Keep a string for as long as the settings live. */
static const char *own(struct launch_settings *s, char *string)
{
    char **more = string ? realloc(s->owned, (s->owned_count + 1) * sizeof(*more)) : NULL;
    if (!more) {
        free(string);
        return NULL;
    }
    s->owned = more;
    return s->owned[s->owned_count++] = string;
}

static int wrong(const char *name, const char *wanted, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_USAGE, name, "%s is wanted", wanted);
}

/* Values divided by commas or white space. */
static int set_list(struct launch_settings *s, struct vmcp_list *list, const char *name,
                    const char *value, struct vmcp_error *err)
{
    static const char gaps[] = ", \t\r\n";
    for (value += strspn(value, gaps); *value; value += strspn(value, gaps)) {
        size_t len = strcspn(value, gaps);
        if (list->count == VMCP_LIST_MAX)
            return wrong(name, "a list of at most 64 values", err);
        const char *item = own(s, strndup(value, len));
        if (!item)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %s", name);
        list->items[list->count++] = item;
        value += len;
    }
    return 0;
}

static int set_bool(bool *field, const char *name, const char *value, struct vmcp_error *err)
{
    bool yes = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return wrong(name, "TRUE or FALSE", err);
    *field = yes;
    return 0;
}

static int set_int(int64_t *field, const char *name, const char *value, struct vmcp_error *err)
{
    char *end = NULL;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (!*value || *end || errno || n < 0 || n > VMCP_SERIAL_MAX || strspn(value, " +-"))
        return wrong(name, "a whole number from 0 on", err);
    *field = n;
    return 0;
}

static bool is_set(const struct launch_settings *s, const struct row *r)
{
    const void *field = (const char *)s + r->offset;
    switch (r->kind) {
    case STRING:
        return *(const char *const *)field;
    case LIST:
        return ((const struct vmcp_list *)field)->count;
    case BOOL:
        return *(const bool *)field;
    case INT:
        return *(const int64_t *)field >= 0;
    }
    return true;
}

static int set(struct launch_settings *s, const struct row *r, const char *name, const char *value,
               struct vmcp_error *err)
{
    void *field = (char *)s + r->offset;
    switch (r->kind) {
    case STRING:
        *(const char **)field = value;
        return 0;
    case LIST:
        return set_list(s, field, name, value, err);
    case BOOL:
        return set_bool(field, name, value, err);
    case INT:
        return set_int(field, name, value, err);
    }
    return vmcp_fail(err, VMCP_E_INTERNAL, "the setting %s has no kind", name);
}

static int resolve_row(struct launch_settings *s, const struct row *r, struct vmcp_error *err)
{
    if (is_set(s, r))
        return 0;
    const char *value = r->environment ? getenv(r->environment) : NULL;
    if (value && *value)
        return set(s, r, r->environment, value, err);
    const json_t *attribute = r->attribute ? json_object_get(s->attributes, r->attribute) : NULL;
    if (!attribute)
        return 0;
    if (!json_is_string(attribute))
        return vmcp_fail_at(err, VMCP_E_NETWORK, r->attribute,
                            "the metadata server gave something other than a string");
    return set(s, r, r->attribute, json_string_value(attribute), err);
}

int launch_settings_resolve(struct launch_settings *settings,
                            const struct launch_metadata *metadata, bool attributes,
                            struct vmcp_error *err)
{
    if (attributes && launch_metadata_is_there(metadata)) {
        int rc = launch_metadata_attributes(metadata, &settings->attributes, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int rc = resolve_row(settings, &rows[i], err);
        if (rc < 0)
            return rc;
    }
    if (settings->wait_guest && !launch_is_guest_key(settings->wait_guest))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--wait-guest: NAMESPACE/KEY is wanted, such as vmcp/ready");
    if (settings->wait_api && *settings->wait_api && strcmp(settings->wait_api, "external") != 0)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--wait-api waits at the internal address, --wait-api=external at the "
                         "other one; there is no third");
    return 0;
}

static int own_word(struct launch_settings *s, const struct launch_metadata *metadata,
                    const char *path, const char **ret, struct vmcp_error *err)
{
    char *word = NULL;
    int rc = launch_metadata_word(metadata, path, &word, err);
    if (rc < 0 || !word)
        return rc;
    *ret = own(s, word);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for %s", path);
}

int launch_settings_place(struct launch_settings *settings, const struct launch_metadata *metadata,
                          bool optional, struct vmcp_error *err)
{
    const char *zone = NULL;
    int rc = settings->project
                 ? 0
                 : own_word(settings, metadata, "project/project-id", &settings->project, err);
    if (rc == 0 && !settings->zones.count)
        rc = own_word(settings, metadata, "instance/zone", &zone, err);
    if (rc < 0)
        return rc;
    if (zone)
        settings->zones.items[settings->zones.count++] = zone;
    if (!settings->project && !optional)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "no project: give --project or set GOOGLE_CLOUD_PROJECT");
    if (!settings->zones.count && !optional)
        return vmcp_fail(err, VMCP_E_USAGE, "no zone: give --zone or set CLOUDSDK_COMPUTE_ZONE");
    for (size_t i = 0; i < settings->zones.count; i++) {
        rc = launch_zone_check(settings->zones.items[i], err);
        if (rc < 0)
            return rc;
    }
    return settings->project ? launch_project_check(settings->project, err) : 0;
}

bool launch_list_has(const struct vmcp_list *list, const char *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], value) == 0)
            return true;
    return false;
}

void launch_settings_clear(struct launch_settings *settings)
{
    vmcp_json_wipe(settings->attributes);
    json_decref(settings->attributes);
    for (size_t i = 0; i < settings->owned_count; i++)
        free(settings->owned[i]);
    free(settings->owned);
    *settings = (struct launch_settings)LAUNCH_SETTINGS;
}
