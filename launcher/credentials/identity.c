/* SPDX-License-Identifier: Apache-2.0 */
/* Identity tokens: who calls, for one audience to check (OpenID Connect Core, section 2). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/resource.h"
#include "exchange.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "source.h"

enum { FORM_MAX = 64 * 1024, TOKEN_MAX = 16 * 1024 };

struct identity {
    struct launch_source base;
    struct launch_purpose purpose;
    struct launch_keyfile key;       /* of a service account's key */
    struct launch_metadata metadata; /* of the VM's own account */
    struct launch_source *caller;    /* who may act as the account; owned; NULL: nobody needs to */
    char *url;                       /* of generateIdToken */
    char *audience;
};

/* `exp` of the payload: when its reader refuses it. Nothing else of it is ours to judge. */
static int64_t expiry(const char *token)
{
    const char *payload = strchr(token, '.'), *end = payload ? strchr(payload + 1, '.') : NULL;
    json_auto_t *claims = NULL;
    size_t len = 0, chars = end ? (size_t)(end - payload - 1) : 0;
    if (!chars || chars > TOKEN_MAX)
        return 0;
    auto_free uint8_t *text = malloc(VMCP_BASE64_BYTES(chars) + 1);
    if (!text || vmcp_base64_decode(VMCP_BASE64_URL, payload + 1, chars, text, &len, NULL) < 0 ||
        vmcp_json_parse_object((char *)text, len, &claims, NULL) < 0)
        return 0;
    return json_integer_value(json_object_get(claims, "exp"));
}

static int take(const char *token, struct launch_grant *ret, struct vmcp_error *err)
{
    int64_t exp = token ? expiry(token) : 0;
    if (!exp)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "the answer holds no identity token");
    return launch_grant_set(ret, token, exp - time(NULL), err);
}

static int fetch_key(struct launch_source *source, struct http_client *http,
                     struct launch_grant *ret, struct vmcp_error *err)
{
    struct identity *i = (struct identity *)source;
    auto_secret_buf struct vmcp_buf form = VMCP_BUF(FORM_MAX);
    auto_grant struct launch_grant assertion = {0};
    json_auto_t *answer = NULL;
    int64_t date = 0;
    const char *given = i->purpose.rules->token_endpoint;
    const char *url = given ? given : i->key.token_uri;
    int rc = launch_keyfile_identity(&i->key, url, i->audience, time(NULL), &assertion.token, err);
    if (rc < 0)
        return rc;
    launch_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    launch_form_add(&form, "assertion", assertion.token);
    rc = vmcp_buf_check(&form, "the assertion", err);
    struct launch_post post = {.url = url,
                               .content_type = "application/x-www-form-urlencoded",
                               .body = form.data,
                               .end = i->base.end};
    if (rc == 0)
        rc = launch_exchange(http, i->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = take(json_string_value(json_object_get(answer, "id_token")), ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static int fetch_metadata(struct launch_source *source, struct http_client *http,
                          struct launch_grant *ret, struct vmcp_error *err)
{
    struct identity *i = (struct identity *)source;
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(TOKEN_MAX);
    auto_free char *audience = http_escape(i->audience), *path = NULL;
    bool found = false;
    if (!audience ||
        asprintf(&path, "instance/service-accounts/default/identity?audience=%s&format=full",
                 audience) < 0) {
        path = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    }
    i->metadata.http = http;
    i->metadata.end = i->base.end;
    int rc = launch_metadata_get(&i->metadata, path, &text, &found, err);
    if (rc < 0)
        return rc;
    if (!found)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "this VM has no service account that could have an identity token");
    if (text.len && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    return take(text.data ? text.data : "", ret, err);
}

static int fetch_impersonated(struct launch_source *source, struct http_client *http,
                              struct launch_grant *ret, struct vmcp_error *err)
{
    struct identity *i = (struct identity *)source;
    auto_grant struct launch_grant own = {0};
    json_auto_t *answer = NULL, *body = NULL;
    int64_t date = 0;
    i->caller->end = i->base.end;
    int rc = i->caller->fetch(i->caller, http, &own, err);
    if (rc < 0)
        return vmcp_error_locate(err, i->caller->name);
    body = json_pack("{s:s, s:b}", "audience", i->audience, "includeEmail", 1);
    auto_free char *text = body ? vmcp_json_text(body, NULL) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a request");
    struct launch_post post = {.url = i->url,
                               .content_type = "application/json",
                               .body = text,
                               .bearer = own.token,
                               .end = i->base.end};
    rc = launch_exchange(http, i->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = take(json_string_value(json_object_get(answer, "token")), ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static void drop(struct launch_source *source)
{
    struct identity *i = (struct identity *)source;
    launch_source_free(i->caller);
    launch_keyfile_clear(&i->key);
    free(i->url);
    free(i->audience);
    free(i);
}

static int make(const char *audience, struct identity **ret, struct vmcp_error *err)
{
    struct identity *i = calloc(1, sizeof(*i));
    if (!i)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    auto_source struct launch_source *made = &i->base;
    i->base.free = drop;
    if (!(i->audience = strdup(audience)))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an audience");
    *ret = i;
    made = NULL;
    return 0;
}

int launch_identity_service_account(const char *where, const json_t *document,
                                    const struct launch_purpose *purpose, const char *audience,
                                    struct launch_source **ret, struct vmcp_error *err)
{
    struct identity *i = NULL;
    int rc = make(audience, &i, err);
    if (rc < 0)
        return rc;
    auto_source struct launch_source *made = &i->base;
    i->base.fetch = fetch_key;
    i->purpose = *purpose;
    rc = launch_keyfile_read(where, document, &i->key, err);
    if (rc < 0)
        return rc;
    const char *given = purpose->rules->token_endpoint;
    snprintf(i->base.name, sizeof(i->base.name), "%s (%s)", where, i->key.email);
    rc = launch_destination_check(purpose->rules, given ? given : i->key.token_uri, err);
    if (rc < 0)
        return vmcp_error_locate(err, "token_uri");
    *ret = steal(&made);
    return 0;
}

int launch_identity_metadata(const struct launch_metadata *metadata, const char *audience,
                             struct launch_source **ret, struct vmcp_error *err)
{
    struct identity *i = NULL;
    int rc = make(audience, &i, err);
    if (rc < 0)
        return rc;
    i->base.fetch = fetch_metadata;
    i->metadata = *metadata;
    snprintf(i->base.name, sizeof(i->base.name), "the metadata server's service account");
    *ret = &i->base;
    return 0;
}

int launch_identity_impersonated(struct launch_source *base, const char *url,
                                 const struct launch_purpose *purpose, const char *audience,
                                 struct launch_source **ret, struct vmcp_error *err)
{
    auto_source struct launch_source *caller = base;
    struct identity *i = NULL;
    int rc = make(audience, &i, err);
    if (rc < 0)
        return rc;
    auto_source struct launch_source *made = &i->base;
    i->base.fetch = fetch_impersonated;
    i->purpose = *purpose;
    i->caller = steal(&caller);
    if (!(i->url = strdup(url)))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    const char *account = launch_last_part(url);
    snprintf(i->base.name, sizeof(i->base.name), "%.*s by way of %.150s",
             (int)strcspn(account, ":"), account, i->caller->name);
    rc = launch_destination_check(purpose->rules, url, err);
    if (rc < 0)
        return vmcp_error_locate(err, "the impersonation URL");
    *ret = steal(&made);
    return 0;
}
