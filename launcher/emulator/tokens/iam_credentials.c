/* SPDX-License-Identifier: Apache-2.0 */
/* The IAM Credentials API: POST /v1/projects/-/serviceAccounts/ACCOUNT:METHOD. Whoever has
 * roles/iam.serviceAccountTokenCreator acts as an account, directly or through `delegates`, each of
 * whom needs that role too. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "api/call.h"
#include "iam_sign.h"
#include "identity.h"
#include "lib/instant.h"
#include "lib/json.h"

enum { LIFE_MAX = 3600, DELEGATES_MAX = 8 };

static int bad(struct emu_refusal *why, const char *field, const char *what)
{
    return emu_refuse(why, 400, "badRequest", "Invalid value for field '%s': %s", field, what);
}

/* Seconds in "3600s". Absent: an hour. */
static int read_lifetime(const json_t *body, int64_t *ret, struct emu_refusal *why)
{
    const json_t *value = json_object_get(body, "lifetime");
    const char *text = json_string_value(value);
    char unit = '\0', rest = '\0';
    int seconds = 0;
    *ret = LIFE_MAX;
    if (!value)
        return 0;
    if (!text || strlen(text) > 8 || sscanf(text, "%d%c%c", &seconds, &unit, &rest) != 2 ||
        unit != 's' || seconds < 1)
        return bad(why, "lifetime", "a duration in seconds is wanted, like \"3600s\".");
    if (seconds > LIFE_MAX)
        return bad(why, "lifetime",
                   "at most 3600s, but where the organisation allows longer ones "
                   "(constraints/iam.allowServiceAccountCredentialLifetimeExtension).");
    *ret = seconds;
    return 0;
}

static int join_scopes(const json_t *scopes, struct vmcp_buf *out, struct emu_refusal *why)
{
    size_t i = 0;
    json_t *scope = NULL;
    json_array_foreach(scopes, i, scope)
    {
        const char *text = json_string_value(scope);
        if (!text || !*text || strchr(text, ' '))
            return bad(why, "scope", "a list of scopes is wanted.");
        vmcp_buf_addf(out, "%s%s", i ? " " : "", text);
    }
    if (!json_is_array(scopes) || i == 0 || vmcp_buf_check(out, "scopes", NULL) < 0)
        return bad(why, "scope", "at least one scope is wanted.");
    return 0;
}

static int generate_access_token(struct emu_call *call, const char *account, const json_t *body,
                                 json_t **ret, struct emu_refusal *why)
{
    char token[EMU_TOKEN_MAX + 1] = "", until[VMCP_INSTANT_CHARS];
    auto_buf struct vmcp_buf scopes = VMCP_BUF(EMU_SCOPES_MAX);
    struct vmcp_error err = {0};
    int64_t life = 0;
    int rc = read_lifetime(body, &life, why);
    if (rc == 0)
        rc = join_scopes(json_object_get(body, "scope"), &scopes, why);
    if (rc < 0)
        return rc;
    if (emu_tokens_mint(call->cloud->tokens, account, scopes.data, life, token, &err) < 0)
        return emu_refuse_fault(why, &err);
    vmcp_instant_text(time(NULL) + life, until);
    *ret = json_pack("{s:s, s:s}", "accessToken", token, "expireTime", until);
    OPENSSL_cleanse(token, sizeof(token));
    return 0;
}

static int generate_id_token(struct emu_call *call, const char *account, const json_t *body,
                             json_t **ret, struct emu_refusal *why)
{
    const char *audience = json_string_value(json_object_get(body, "audience"));
    const struct emu_identity identity = {.email = account,
                                          .audience = audience,
                                          .with_email =
                                              json_is_true(json_object_get(body, "includeEmail"))};
    struct vmcp_error err = {0};
    auto_free char *jwt = NULL;
    if (!audience || !*audience || strlen(audience) > EMU_AUDIENCE_MAX)
        return bad(why, "audience", "the audience of the token is wanted, at most 2048 bytes.");
    if (emu_identity_sign(call->cloud->store, &identity, &jwt, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = json_pack("{s:s}", "token", jwt);
    return 0;
}

static const struct method {
    const char *name, *permission;
    int (*run)(struct emu_call *call, const char *account, const json_t *body, json_t **ret,
               struct emu_refusal *why);
} methods[] = {
    {"generateAccessToken", "iam.serviceAccounts.getAccessToken", generate_access_token},
    {"generateIdToken", "iam.serviceAccounts.getOpenIdToken", generate_id_token},
    {"signJwt", "iam.serviceAccounts.signJwt", emu_iam_sign_jwt},
    {"signBlob", "iam.serviceAccounts.signBlob", emu_iam_sign_blob},
};

/* The address behind an address or a unique id of 21 digits. */
static int resolve(struct emu_call *call, const char *name, size_t len,
                   char ret[static EMU_EMAIL_MAX + 1], struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    bool found = false;
    char text[EMU_EMAIL_MAX + 1] = "";
    if (len <= EMU_EMAIL_MAX)
        snprintf(text, sizeof(text), "%.*s", (int)len, name);
    if (emu_account_find(call->cloud->store, text, &found, ret, &err) < 0)
        return emu_refuse_fault(why, &err);
    return found ? 0
                 : emu_refuse(why, 404, "notFound", "Not found; Gaia id not found for email %s",
                              text);
}

/* May `who` act as `account`? */
static int permit(struct emu_call *call, const char *who, const char *permission,
                  struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    bool allowed = false;
    if (emu_account_may(call->cloud->store, who, permission, &allowed, &err) < 0)
        return emu_refuse_fault(why, &err);
    return allowed ? 0
                   : emu_refuse(why, 403, "forbidden",
                                "Permission '%s' denied on resource (or it may not exist).",
                                permission);
}

/* The caller acts as the first delegate, that one as the next, the last one as the account. */
static int permit_chain(struct emu_call *call, const json_t *delegates, const char *permission,
                        struct emu_refusal *why)
{
    static const char prefix[] = "projects/-/serviceAccounts/";
    size_t i = 0, plain = sizeof(prefix) - 1;
    json_t *delegate = NULL;
    bool many = json_array_size(delegates) > 0;
    if (delegates && (!json_is_array(delegates) || json_array_size(delegates) > DELEGATES_MAX))
        return bad(why, "delegates", "a list of at most 8 service accounts is wanted.");
    int rc = permit(call, call->email, many ? "iam.serviceAccounts.implicitDelegation" : permission,
                    why);
    json_array_foreach(delegates, i, delegate)
    {
        const char *text = json_string_value(delegate);
        char email[EMU_EMAIL_MAX + 1];
        bool last = i + 1 == json_array_size(delegates);
        if (rc < 0)
            return rc;
        if (!text || strncmp(text, prefix, plain) != 0)
            return bad(why, "delegates", "projects/-/serviceAccounts/ACCOUNT is wanted.");
        rc = resolve(call, text + plain, strlen(text + plain), email, why);
        if (rc == 0)
            rc = permit(call, email, last ? permission : "iam.serviceAccounts.implicitDelegation",
                        why);
    }
    return rc;
}

/* The body; a member that is null is one that is absent (ProtoJSON), and gcloud sends such. */
static int read_body(const struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    const char *name = NULL;
    json_t *value = NULL;
    void *next = NULL;
    if (vmcp_json_parse_object(call->req->body ? call->req->body : "", call->req->body_len, ret,
                               &err) < 0)
        return emu_refuse(why, 400, "parseError", "Invalid JSON payload received: %s", err.text);
    json_object_foreach_safe(*ret, next, name, value) if (json_is_null(value))
        json_object_del(*ret, name);
    return 0;
}

static int run(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[1];
    const char *colon = strrchr(name, ':');
    const struct method *method = NULL;
    char account[EMU_EMAIL_MAX + 1];
    json_auto_t *body = NULL;
    for (size_t i = 0; colon && i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, colon + 1) == 0)
            method = &methods[i];
    if (!method)
        return emu_refuse(why, 404, "notFound",
                          "There is no such method; generateAccessToken, "
                          "generateIdToken, signJwt and signBlob are there.");
    int rc = read_body(call, &body, why);
    if (rc == 0)
        rc = permit_chain(call, json_object_get(body, "delegates"), method->permission, why);
    if (rc == 0)
        rc = resolve(call, name, (size_t)(colon - name), account, why);
    return rc < 0 ? rc : method->run(call, account, body, ret, why);
}

void emu_api_iam_credentials(void *app, const struct http_request *req, struct http_reply *reply)
{
    static const struct emu_method all = {
        .access = EMU_CREDENTIALS, .place = EMU_ELSEWHERE, .id = "iamCredentials", .run = run};
    emu_call_run(app, req, reply, &all);
}
