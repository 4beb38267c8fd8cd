/* SPDX-License-Identifier: Apache-2.0 */
#include "assertion.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/jws.h"

enum { SKEW = 300, LIFE_MAX = 3600 };

int emu_oauth_fail(struct emu_oauth_error *err, int status, const char *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *err = (struct emu_oauth_error){.status = status, .error = error};
    vsnprintf(err->description, sizeof(err->description), fmt, args);
    va_end(args);
    return -1;
}

static int fault(struct emu_oauth_error *err, const struct vmcp_error *why)
{
    return emu_oauth_fail(err, 500, "internal_failure", "%s", why->text);
}

/* Old libcloud pads base64url. The signature covers the padded text, so only what is taken apart
 * loses the padding. */
static char *without_padding(const char *jwt, size_t len)
{
    char *out = malloc(len + 1);
    if (!out)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (jwt[i] != '=')
            out[n++] = jwt[i];
    out[n] = '\0';
    return out;
}

static int check_signature(const struct emu_assertion_context *context, const struct vmcp_jws *jws,
                           const char *email, struct emu_oauth_error *err)
{
    struct vmcp_key *keys[EMU_ACCOUNT_KEYS_MAX];
    struct vmcp_error why = {0};
    size_t count = 0;
    /* Node sends no kid: then any key of the account may have signed. */
    if (emu_account_keys(context->store, email, jws->kid, keys, &count, &why) < 0)
        return fault(err, &why);
    bool good = false;
    for (size_t i = 0; i < count; i++)
        good = good || vmcp_jws_check(jws, keys[i], NULL) == 0;
    while (count > 0)
        vmcp_key_unref(keys[--count]);
    return good ? 0 : emu_oauth_fail(err, 400, "invalid_grant", "Invalid JWT Signature.");
}

static int check_times(const struct emu_assertion_context *context, const json_t *claims,
                       struct emu_oauth_error *err)
{
    const json_t *iat = json_object_get(claims, "iat"), *exp = json_object_get(claims, "exp");
    json_int_t i = json_integer_value(iat), e = json_integer_value(exp);
    bool good = json_is_integer(iat) && json_is_integer(exp) && i > 0 && e > i &&
                e - i <= LIFE_MAX && i <= context->now + SKEW && e >= context->now - SKEW;
    return good ? 0
                : emu_oauth_fail(err, 400, "invalid_grant",
                                 "Invalid JWT: Token must be a short-lived token (60 minutes) and "
                                 "in a reasonable timeframe. Check your iat and exp values in the "
                                 "JWT claim.");
}

static bool audience_fits(const struct emu_assertion_context *context, enum emu_assertion_use use,
                          const char *aud)
{
    static const char *const of_grants[] = {
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v4/token",
        "https://www.googleapis.com/oauth2/v3/token",
    };
    static const char *const of_bearers[] = {
        "https://compute.googleapis.com/",
        "https://compute.googleapis.com",
        "https://iamcredentials.googleapis.com/",
        "https://iamcredentials.googleapis.com",
        "https://www.googleapis.com/",
    };
    bool grant = use == EMU_ASSERTION_GRANT;
    const char *const *list = grant ? of_grants : of_bearers;
    size_t count = grant ? sizeof(of_grants) / sizeof(of_grants[0])
                         : sizeof(of_bearers) / sizeof(of_bearers[0]);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], aud) == 0)
            return true;
    if (grant)
        return emu_hosts_have_url(context->hosts, aud, "/token");
    return emu_hosts_have_url(context->hosts, aud, "/") ||
           emu_hosts_have_url(context->hosts, aud, "");
}

/* Copy the scopes with single spaces between them; each must be one that Google could mean. */
static int copy_scopes(const char *text, char ret[static EMU_SCOPES_MAX + 1],
                       struct emu_oauth_error *err)
{
    size_t used = 0;
    for (const char *p = text + strspn(text, " "); *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        bool known = strncmp(p, EMU_SCOPE, strlen(EMU_SCOPE)) == 0 ||
                     (len == 6 && memcmp(p, "openid", 6) == 0) ||
                     (len == 5 && memcmp(p, "email", 5) == 0) ||
                     (len == 7 && memcmp(p, "profile", 7) == 0);
        if (!known || used + len + 2 > EMU_SCOPES_MAX)
            return emu_oauth_fail(err, 400, "invalid_scope", "%.*s is not a valid audience string.",
                                  (int)(len > 128 ? 128 : len), p);
        if (used)
            ret[used++] = ' ';
        memcpy(ret + used, p, len);
        used += len;
        p += len;
    }
    ret[used] = '\0';
    if (used == 0)
        return emu_oauth_fail(err, 400, "invalid_scope",
                              "Invalid OAuth scope or ID token audience provided.");
    return 0;
}

/* A grant that asks for an identity token says so with target_audience and needs no scope. */
static int copy_audience(const json_t *claims, char ret[static EMU_AUDIENCE_MAX + 1],
                         struct emu_oauth_error *err)
{
    const json_t *target = json_object_get(claims, "target_audience");
    const char *text = json_string_value(target);
    if (!target)
        return 0;
    if (!text || !*text || strlen(text) > EMU_AUDIENCE_MAX)
        return emu_oauth_fail(err, 400, "invalid_scope",
                              "Invalid OAuth scope or ID token audience provided.");
    snprintf(ret, EMU_AUDIENCE_MAX + 1, "%s", text);
    return 0;
}

static int check_claims(const struct emu_assertion_context *context, enum emu_assertion_use use,
                        const json_t *claims, struct emu_assertion *ret,
                        struct emu_oauth_error *err)
{
    int rc = check_times(context, claims, err);
    if (rc < 0)
        return rc;
    const char *aud = json_string_value(json_object_get(claims, "aud"));
    const char *scope = json_string_value(json_object_get(claims, "scope"));
    const json_t *sub = json_object_get(claims, "sub");
    bool bearer = use == EMU_ASSERTION_BEARER;
    if (aud ? !audience_fits(context, use, aud) : !bearer || !scope)
        return emu_oauth_fail(err, 400, "invalid_grant", "Invalid JWT: Failed audience check.");
    const char *subject = json_string_value(sub);
    if ((sub || bearer) && (!subject || strcmp(subject, ret->email) != 0))
        return emu_oauth_fail(err, 401, "unauthorized_client",
                              "Client is unauthorized to retrieve access tokens using this method, "
                              "or client not authorized for any of the scopes requested.");
    if (bearer && !scope)
        scope = EMU_SCOPE "cloud-platform";
    if (!bearer)
        rc = copy_audience(claims, ret->audience, err);
    if (rc < 0 || ret->audience[0])
        return rc;
    return copy_scopes(scope ? scope : "", ret->scopes, err);
}

int emu_assertion_check(const struct emu_assertion_context *context, enum emu_assertion_use use,
                        const char *jwt, struct emu_assertion *ret, struct emu_oauth_error *err)
{
    size_t len = strlen(jwt);
    auto_free char *text = len <= EMU_ASSERTION_MAX ? without_padding(jwt, len) : NULL;
    auto_jws struct vmcp_jws jws = {0};
    if (!text || vmcp_jws_parse(text, strlen(text), NULL, &jws, NULL) < 0 || !jws.alg ||
        strcmp(vmcp_alg_name(jws.alg), "RS256") != 0)
        return emu_oauth_fail(err, 400, "invalid_grant",
                              "Invalid JWT: the assertion is not a JWT signed with RS256.");
    jws.signing_input = jwt;
    jws.signing_input_len = (size_t)(strrchr(jwt, '.') - jwt);

    const char *iss = json_string_value(json_object_get(jws.payload, "iss"));
    struct vmcp_error why = {0};
    bool exists = false;
    if (iss && strlen(iss) <= EMU_EMAIL_MAX &&
        emu_account_exists(context->store, iss, &exists, &why) < 0)
        return fault(err, &why);
    if (!exists)
        return emu_oauth_fail(err, 400, "invalid_grant", "Invalid grant: account not found");
    int rc = check_signature(context, &jws, iss, err);
    if (rc < 0)
        return rc;
    struct emu_assertion good = {0};
    snprintf(good.email, sizeof(good.email), "%s", iss);
    rc = check_claims(context, use, jws.payload, &good, err);
    if (rc == 0)
        *ret = good;
    return rc;
}
