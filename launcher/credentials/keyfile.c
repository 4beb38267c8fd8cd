/* SPDX-License-Identifier: Apache-2.0 */
#include "keyfile.h"

#include <string.h>

#include "cloud/resource.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "lib/limits.h"
#include "lib/sign.h"

static int refuse(struct vmcp_error *err, const char *where, const char *what)
{
    return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                        "%s; a service account's key file is wanted, as `gcloud iam "
                        "service-accounts keys create` makes it",
                        what);
}

/* A member that must be a string where it is there at all. */
static int take(const json_t *document, const char *member, char **ret, const char *where,
                struct vmcp_error *err)
{
    const json_t *value = json_object_get(document, member);
    char what[96];
    *ret = NULL;
    if (!value)
        return 0;
    snprintf(what, sizeof(what), "`%s` is not a string", member);
    if (!json_is_string(value))
        return refuse(err, where, what);
    *ret = strdup(json_string_value(value));
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key file");
}

static int take_all(const json_t *document, const char *where, struct launch_keyfile *k,
                    struct vmcp_error *err)
{
    const struct {
        const char *member;
        char **field;
    } members[] = {
        {"client_email", &k->email},       {"private_key_id", &k->key_id},
        {"token_uri", &k->token_uri},      {"project_id", &k->project},
        {"universe_domain", &k->universe},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        int rc = take(document, members[i].member, members[i].field, where, err);
        if (rc < 0)
            return rc;
    }
    if (!k->email || !launch_is_account(k->email))
        return refuse(err, where, "no `client_email`");
    if (!k->token_uri && !(k->token_uri = strdup(LAUNCH_TOKEN_URI)))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key file");
    return 0;
}

static int parse_document(const json_t *document, const char *where, struct launch_keyfile *k,
                          struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(document, "type"));
    const json_t *pem = json_object_get(document, "private_key");
    if (!type || strcmp(type, "service_account") != 0)
        return refuse(err, where, "`type` is not `service_account`");
    if (!json_is_string(pem))
        return refuse(err, where, "no `private_key`");
    int rc = take_all(document, where, k, err);
    if (rc < 0)
        return rc;
    if (vmcp_key_parse_private(json_string_value(pem), json_string_length(pem), &k->key, err) < 0)
        return refuse(err, where, "its `private_key` cannot be read");
    if (vmcp_key_type(k->key) != VMCP_KEY_RSA)
        return refuse(err, where, "its `private_key` is not an RSA key");
    return 0;
}

int launch_keyfile_read(const char *where, const json_t *document, struct launch_keyfile *ret,
                        struct vmcp_error *err)
{
    auto_keyfile struct launch_keyfile k = {0};
    int rc = parse_document(document, where, &k, err);
    if (rc < 0)
        return rc;
    *ret = k;
    k = (struct launch_keyfile){0};
    return 0;
}

int launch_keyfile_parse(const char *where, const char *data, size_t len,
                         struct launch_keyfile *ret, struct vmcp_error *err)
{
    json_auto_t *document = NULL;
    if (vmcp_json_parse_object(data, len, &document, err) < 0)
        return refuse(err, where, "not JSON");
    int rc = launch_keyfile_read(where, document, ret, err);
    vmcp_json_wipe(document);
    return rc;
}

/* Sign the claims (taken; NULL: no memory). */
static int sign(const struct launch_keyfile *keyfile, json_t *claims, char **ret,
                struct vmcp_error *err)
{
    size_t len = 0;
    auto_free char *text = claims ? vmcp_json_text(claims, &len) : NULL;
    json_decref(claims);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an assertion");
    return vmcp_jws_sign(keyfile->key, vmcp_alg_find("RS256"), "JWT", keyfile->key_id, text, len,
                         ret, err);
}

/* Ten seconds back: a clock that runs a little ahead is no reason to be refused. */
enum { BACK = 10 };

static int sign_grant(const struct launch_keyfile *keyfile, const char *audience, const char *name,
                      const char *value, long long now, char **ret, struct vmcp_error *err)
{
    return sign(keyfile,
                json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", keyfile->email, name, value, "aud",
                          audience, "iat", (json_int_t)(now - BACK), "exp",
                          (json_int_t)(now + LAUNCH_JWT_LIFE)),
                ret, err);
}

int launch_keyfile_assertion(const struct launch_keyfile *keyfile, const char *audience,
                             const char *scope, long long now, char **ret, struct vmcp_error *err)
{
    return sign_grant(keyfile, audience, "scope", scope, now, ret, err);
}

int launch_keyfile_identity(const struct launch_keyfile *keyfile, const char *audience,
                            const char *target, long long now, char **ret, struct vmcp_error *err)
{
    return sign_grant(keyfile, audience, "target_audience", target, now, ret, err);
}

int launch_keyfile_token(const struct launch_keyfile *keyfile, const char *audience, long long now,
                         char **ret, struct vmcp_error *err)
{
    return sign(keyfile,
                json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", keyfile->email, "sub", keyfile->email,
                          "aud", audience, "iat", (json_int_t)(now - BACK), "exp",
                          (json_int_t)(now + LAUNCH_JWT_LIFE)),
                ret, err);
}

void launch_keyfile_clear(struct launch_keyfile *keyfile)
{
    free(keyfile->email);
    free(keyfile->key_id);
    free(keyfile->token_uri);
    free(keyfile->project);
    free(keyfile->universe);
    vmcp_key_unref(keyfile->key);
    *keyfile = (struct launch_keyfile){0};
}
