/* SPDX-License-Identifier: Apache-2.0 */
#include "adc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/resource.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/limits.h"

enum { NESTING_MAX = 3, LIFETIME = 3600, IMPERSONATION_LIFE_MAX = 43200 };

static int parse(struct launch_adc *adc, const char *where, const char *text, size_t len,
                 struct vmcp_error *err)
{
    adc->where = strdup(where);
    if (!adc->where)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for credentials");
    if (vmcp_json_parse_object(text, len, &adc->document, NULL) < 0)
        return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where, "is not a JSON object");
    return 0;
}

static int read_file(struct launch_adc *adc, const char *what, const char *path,
                     struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(VMCP_KEY_FILE_MAX);
    char where[300];
    snprintf(where, sizeof(where), "%s %s", what, path);
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &text, err);
    return rc < 0 ? rc : parse(adc, where, text.data ? text.data : "", text.len, err);
}

/* Where gcloud leaves a login; false where that cannot be said. */
static bool well_known(char *ret, size_t size)
{
    const char *config = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");
    int n = config && *config ? snprintf(ret, size, "%s/", config)
            : home && *home   ? snprintf(ret, size, "%s/.config/gcloud/", home)
                              : -1;
    if (n < 0 || (size_t)n >= size)
        return false;
    size_t len = (size_t)n;
    n = snprintf(ret + len, size - len, "application_default_credentials.json");
    return n > 0 && (size_t)n < size - len;
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 || errno == EACCES;
}

int launch_adc_find(const struct launch_settings *settings, const struct launch_metadata *metadata,
                    struct launch_adc *ret, struct vmcp_error *err)
{
    const char *content = settings->credentials_attribute;
    char path[4096] = "";
    ret->token_file = settings->access_token_file;
    if (ret->token_file)
        return 0;
    if (settings->credentials)
        return read_file(ret, "the credentials", settings->credentials, err);
    if (content)
        return parse(ret, "the metadata attribute service-credentials", content, strlen(content),
                     err);
    if (well_known(path, sizeof(path)) && is_there(path))
        return read_file(ret, "gcloud's credentials", path, err);
    if (launch_metadata_is_there(metadata)) {
        ret->metadata = metadata;
        return 0;
    }
    return vmcp_fail(err, VMCP_E_CREDENTIALS,
                     "no credentials: neither --credentials nor GOOGLE_APPLICATION_CREDENTIALS "
                     "names a file, there is no login of gcloud%s%.80s, and this is not Compute "
                     "Engine",
                     path[0] ? " at " : "", path);
}

static int make(const char *where, const json_t *document, const struct launch_purpose *purpose,
                int depth, struct launch_source **ret, struct vmcp_error *err);

/* What acts as somebody else needs the scope and the audience of the IAM Credentials API. */
static struct launch_purpose to_impersonate(const struct launch_purpose *purpose)
{
    struct launch_purpose p = *purpose;
    p.scope = LAUNCH_SCOPE_IAM;
    p.audience = purpose->iam;
    return p;
}

static int make_external(const char *where, const json_t *document,
                         const struct launch_purpose *purpose, struct launch_source **ret,
                         struct vmcp_error *err)
{
    const char *url =
        json_string_value(json_object_get(document, "service_account_impersonation_url"));
    const json_t *life = json_object_get(json_object_get(document, "service_account_impersonation"),
                                         "token_lifetime_seconds");
    json_int_t seconds = json_is_integer(life) ? json_integer_value(life) : LIFETIME;
    struct launch_purpose first = to_impersonate(purpose);
    struct launch_source *base = NULL;
    if (!url)
        return launch_source_external(where, document, purpose, ret, err);
    if (seconds < 600 || seconds > IMPERSONATION_LIFE_MAX)
        return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                            "its token_lifetime_seconds is not in 600..%d", IMPERSONATION_LIFE_MAX);
    int rc = launch_source_external(where, document, &first, &base, err);
    return rc < 0 ? rc : launch_source_impersonated(base, url, NULL, seconds, purpose, ret, err);
}

static int make_impersonated(const char *where, const json_t *document,
                             const struct launch_purpose *purpose, int depth,
                             struct launch_source **ret, struct vmcp_error *err)
{
    const char *url =
        json_string_value(json_object_get(document, "service_account_impersonation_url"));
    struct launch_purpose first = to_impersonate(purpose);
    struct launch_source *base = NULL;
    if (!url)
        return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                            "no `service_account_impersonation_url`");
    int rc =
        make(where, json_object_get(document, "source_credentials"), &first, depth + 1, &base, err);
    return rc < 0 ? rc
                  : launch_source_impersonated(base, url, json_object_get(document, "delegates"),
                                               LIFETIME, purpose, ret, err);
}

/* What stands inside another file is of that one's universe, unless it says so itself. */
static int check_universe(const char *where, const json_t *document,
                          const struct launch_purpose *purpose, int depth, struct vmcp_error *err)
{
    const char *universe = purpose->rules->universe;
    const json_t *member = json_object_get(document, "universe_domain");
    const char *said = member ? json_string_value(member) : depth ? universe : LAUNCH_UNIVERSE;
    char clean[100];
    if (said && strcmp(said, universe) == 0)
        return 0;
    launch_clean(said ? said : "(not a string)", clean, sizeof(clean));
    return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                        "its universe_domain is %s, and this run's is %.100s: the environment "
                        "variable GOOGLE_CLOUD_UNIVERSE_DOMAIN names another, a file does not",
                        clean, universe);
}

static int make(const char *where, const json_t *document, const struct launch_purpose *purpose,
                int depth, struct launch_source **ret, struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(document, "type"));
    int rc = check_universe(where, document, purpose, depth, err);
    if (rc < 0)
        return rc;
    if (type && strcmp(type, "service_account") == 0)
        return launch_source_service_account(where, document, purpose, ret, err);
    if (type && strcmp(type, "authorized_user") == 0)
        return launch_source_user(where, document, purpose, ret, err);
    if (type && strcmp(type, "external_account") == 0)
        return make_external(where, document, purpose, ret, err);
    if (type && strcmp(type, "impersonated_service_account") == 0 && depth < NESTING_MAX)
        return make_impersonated(where, document, purpose, depth, ret, err);
    return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                        "its `type` is none that is known: service_account, authorized_user, "
                        "external_account, impersonated_service_account");
}

static int make_chosen(const struct launch_adc *adc, const struct launch_settings *settings,
                       const struct launch_purpose *purpose, struct launch_source **ret,
                       struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(adc->document, "type"));
    if (adc->token_file)
        return launch_source_file(adc->token_file, ret, err);
    if (adc->metadata)
        return launch_source_metadata(adc->metadata, ret, err);
    /* Other types name URLs and files, and metadata is not to send us there. */
    if (!settings->credentials && settings->credentials_attribute &&
        (!type || strcmp(type, "service_account") != 0))
        return vmcp_fail_at(err, VMCP_E_CREDENTIALS, adc->where,
                            "its `type` is not `service_account`, and no other is taken from "
                            "metadata");
    return make(adc->where, adc->document, purpose, 0, ret, err);
}

/* "A,B,TARGET": A and B are delegates, as gcloud writes it. */
static int impersonate(const char *chain, struct launch_source *base,
                       const struct launch_purpose *purpose, struct launch_source **ret,
                       struct vmcp_error *err)
{
    auto_source struct launch_source *taken = base;
    auto_free char *url = NULL;
    json_auto_t *delegates = json_array();
    const char *last = strrchr(chain, ',');
    for (const char *p = chain; last && p < last; p += strcspn(p, ",") + 1)
        json_array_append_new(delegates, json_stringn(p, strcspn(p, ",")));
    int rc = launch_impersonation_url(purpose->iam, last ? last + 1 : chain, &url, err);
    return rc < 0 ? rc
                  : launch_source_impersonated(steal(&taken), url, delegates, LIFETIME, purpose,
                                               ret, err);
}

int launch_adc_source(const struct launch_adc *adc, const struct launch_settings *settings,
                      const struct launch_purpose *purpose, struct launch_source **ret,
                      struct vmcp_error *err)
{
    struct launch_purpose first = to_impersonate(purpose);
    struct launch_source *base = NULL;
    const char *chain = settings->impersonate;
    if (!chain)
        return make_chosen(adc, settings, purpose, ret, err);
    int rc = make_chosen(adc, settings, &first, &base, err);
    return rc < 0 ? rc : impersonate(chain, base, purpose, ret, err);
}

void launch_adc_clear(struct launch_adc *adc)
{
    vmcp_json_wipe(adc->document);
    json_decref(adc->document);
    free(adc->where);
    *adc = (struct launch_adc){0};
}
