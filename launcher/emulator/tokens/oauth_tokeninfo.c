/* SPDX-License-Identifier: Apache-2.0 */
/* /tokeninfo and /oauth2/VERSION/tokeninfo: what an access token or an identity token says, for
 * people and for tests. Versions 1 and 2 answer in one set of names, the unversioned one and
 * version 3 in another; what is asked without a version gets both. */
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "lib/jws.h"
#include "reqlog.h"
#include "signer.h"

enum { TEXT_MAX = 64 * 1024 };

/* What is known of a token. */
struct facts {
    char email[EMU_EMAIL_MAX + 1], scopes[EMU_SCOPES_MAX + 1];
    int64_t expires;
    json_t *claims; /* of an identity token; owned */
};

static void clear_facts(struct facts *facts)
{
    json_decref(facts->claims);
}
#define auto_facts VMCP_AUTO(clear_facts)

static bool read_access(struct emu_cloud *cloud, const char *token, struct facts *ret)
{
    struct vmcp_error err = {0};
    bool found = false;
    return emu_tokens_check(cloud->tokens, token, &found, ret->email, ret->scopes, &err) == 0 &&
           found && emu_tokens_expiry(cloud->tokens, token, &ret->expires, &err) == 0 &&
           ret->expires > 0;
}

static bool read_identity(struct emu_cloud *cloud, const char *token, struct facts *ret)
{
    struct vmcp_error err = {0};
    auto_signer struct emu_signer signer = {0};
    auto_jws struct vmcp_jws jws = {0};
    if (emu_signer_get(cloud->store, EMU_SIGNER_GOOGLE, &signer, &err) < 0 ||
        vmcp_jws_parse(token, strlen(token), NULL, &jws, NULL) < 0 || !jws.alg ||
        strcmp(vmcp_alg_name(jws.alg), "RS256") != 0 || vmcp_jws_check(&jws, signer.key, NULL) < 0)
        return false;
    ret->expires = json_integer_value(json_object_get(jws.payload, "exp"));
    ret->claims = json_incref(jws.payload);
    return ret->expires > time(NULL);
}

static void add_number(json_t *body, const char *name, int64_t value)
{
    json_object_set_new(body, name, json_sprintf("%lld", (long long)value));
}

/* Versions 1 and 2. */
static void describe_old(const struct facts *facts, const char *id, json_t *body)
{
    json_object_set_new(body, "issued_to", json_string(id));
    json_object_set_new(body, "audience", json_string(id));
    json_object_set_new(body, "user_id", json_string(id));
    json_object_set_new(body, "scope", json_string(facts->scopes));
    json_object_set_new(body, "email", json_string(facts->email));
    json_object_set_new(body, "verified_email", json_true());
    json_object_set_new(body, "access_type", json_string("online"));
}

/* Version 3: numbers and booleans are strings. */
static void describe_new(const struct facts *facts, const char *id, json_t *body)
{
    json_object_set_new(body, "azp", json_string(id));
    json_object_set_new(body, "aud", json_string(id));
    json_object_set_new(body, "sub", json_string(id));
    json_object_set_new(body, "scope", json_string(facts->scopes));
    add_number(body, "exp", facts->expires);
    json_object_set_new(body, "email", json_string(facts->email));
    json_object_set_new(body, "email_verified", json_string("true"));
    json_object_set_new(body, "access_type", json_string("online"));
}

/* The claims, with numbers and booleans as strings. */
static json_t *describe_identity(const struct facts *facts)
{
    json_t *body = json_object();
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(facts->claims, name, value)
    {
        if (json_is_integer(value))
            add_number(body, name, json_integer_value(value));
        else if (json_is_boolean(value))
            json_object_set_new(body, name, json_string(json_is_true(value) ? "true" : "false"));
        else if (json_is_string(value))
            json_object_set(body, name, value);
    }
    json_object_set_new(body, "alg", json_string("RS256"));
    json_object_set_new(body, "typ", json_string("JWT"));
    return body;
}

static json_t *describe(const struct facts *facts, const char *version)
{
    char id[EMU_ACCOUNT_ID_LEN + 1];
    int64_t left = facts->expires - time(NULL);
    if (facts->claims)
        return describe_identity(facts);
    json_t *body = json_object();
    bool old = version && (strcmp(version, "v1") == 0 || strcmp(version, "v2") == 0);
    emu_account_unique_id(facts->email, id);
    if (old || !version)
        describe_old(facts, id, body);
    if (!old)
        describe_new(facts, id, body);
    if (version && !old)
        add_number(body, "expires_in", left);
    else
        json_object_set_new(body, "expires_in", json_integer(left));
    return body;
}

/* The parameter, of the query or of a form; borrowed from the request or from `form`. */
static const char *parameter(const struct http_request *req, const struct http_param *form,
                             size_t count, const char *key)
{
    const char *value = http_request_param(req, key);
    for (size_t i = 0; !value && i < count; i++)
        if (strcmp(form[i].key, key) == 0)
            value = form[i].value;
    return value;
}

void emu_api_tokeninfo(void *app, const struct http_request *req, struct http_reply *reply)
{
    auto_facts struct facts facts = {0};
    struct http_param form[8];
    size_t count = 0;
    auto_free char *text =
        req->body_len && req->body_len <= TEXT_MAX ? strndup(req->body, req->body_len) : NULL;
    if (text && http_params_parse(text, strlen(text), false, form, 8, &count, NULL) < 0)
        count = 0;
    const char *access = parameter(req, form, count, "access_token");
    const char *identity = parameter(req, form, count, "id_token");
    bool good = access     ? read_access(app, access, &facts)
                : identity ? read_identity(app, identity, &facts)
                           : false;
    json_auto_t *body =
        good ? describe(&facts, req->segments[0])
             : json_pack("{s:s, s:s}", "error", "invalid_token", "error_description",
                         access || identity
                             ? "Invalid Value"
                             : "Either access_token, id_token, or token_handle required");
    if (!body)
        return;
    http_reply_json(reply, good ? 200 : 400, body);
    reply->content_type = "application/json; charset=UTF-8";
    http_reply_header(reply, "Cache-Control", "no-store");
}
