/* SPDX-License-Identifier: Apache-2.0 */
/* POST /token: the JWT bearer grant (RFC 7523, section 2.1), with the answers of Google's token
 * endpoint. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/api.h"
#include "assertion.h"
#include "identity.h"
#include "reqlog.h"

enum { FORM_PARAMS_MAX = 8, FORM_MAX = 64 * 1024 };

static const char grant_type[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
static const char form_type[] = "application/x-www-form-urlencoded";

/* The form's two values; borrowed from `form`. */
struct form {
    const char *grant_type, *assertion;
};

static const char *only(const struct http_param *params, size_t count, const char *key,
                        bool *ret_twice)
{
    const char *value = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(params[i].key, key) != 0)
            continue;
        *ret_twice = *ret_twice || value;
        value = params[i].value;
    }
    return value;
}

static int read_form(const struct http_request *req, char *text, struct form *ret,
                     struct emu_oauth_error *err)
{
    struct http_param params[FORM_PARAMS_MAX];
    struct vmcp_error why = {0};
    size_t count = 0;
    bool twice = false;
    const char *type = http_request_header(req, "Content-Type");
    if (!type || strncasecmp(type, form_type, sizeof(form_type) - 1) != 0)
        return emu_oauth_fail(err, 400, "invalid_request", "The Content-Type must be %s.",
                              form_type);
    if (http_params_parse(text, req->body_len, false, params, FORM_PARAMS_MAX, &count, &why) < 0)
        return emu_oauth_fail(err, 400, "invalid_request", "Malformed form: %s", why.text);
    ret->grant_type = only(params, count, "grant_type", &twice);
    ret->assertion = only(params, count, "assertion", &twice);
    if (twice)
        return emu_oauth_fail(err, 400, "invalid_request", "A parameter is given twice.");
    if (!ret->grant_type || !*ret->grant_type)
        return emu_oauth_fail(err, 400, "invalid_request",
                              "Missing required parameter: grant_type");
    if (strcmp(ret->grant_type, grant_type) != 0)
        return emu_oauth_fail(err, 400, "unsupported_grant_type", "Invalid grant_type: %.128s",
                              ret->grant_type);
    if (!ret->assertion || !*ret->assertion)
        return emu_oauth_fail(err, 400, "invalid_request", "Missing required parameter: assertion");
    return 0;
}

static json_t *access_token(struct emu_cloud *cloud, const struct emu_assertion *assertion,
                            struct vmcp_error *err)
{
    char token[EMU_TOKEN_MAX + 1] = "";
    if (emu_tokens_mint(cloud->tokens, assertion->email, assertion->scopes, EMU_TOKEN_LIFE, token,
                        err) < 0)
        return NULL;
    json_t *body = json_pack("{s:s, s:i, s:s}", "access_token", token, "expires_in",
                             EMU_TOKEN_LIFE - 1, "token_type", "Bearer");
    OPENSSL_cleanse(token, sizeof(token));
    return body;
}

static json_t *id_token(struct emu_cloud *cloud, const struct emu_assertion *assertion,
                        struct vmcp_error *err)
{
    auto_free char *jwt = NULL;
    const struct emu_identity identity = {.email = assertion->email,
                                          .audience = assertion->audience,
                                          .azp = assertion->email,
                                          .with_email = true};
    if (emu_identity_sign(cloud->store, &identity, &jwt, err) < 0)
        return NULL;
    return json_pack("{s:s}", "id_token", jwt);
}

static int exchange(struct emu_cloud *cloud, const struct http_request *req, char *text,
                    struct emu_assertion *assertion, json_t **ret, struct emu_oauth_error *err)
{
    struct form form = {0};
    struct vmcp_error why = {0};
    const struct emu_assertion_context context = {
        .store = cloud->store, .hosts = &cloud->hosts, .now = time(NULL)};
    int rc = read_form(req, text, &form, err);
    if (rc == 0)
        rc = emu_assertion_check(&context, EMU_ASSERTION_GRANT, form.assertion, assertion, err);
    if (rc < 0)
        return rc;
    *ret = assertion->audience[0] ? id_token(cloud, assertion, &why)
                                  : access_token(cloud, assertion, &why);
    return *ret ? 0 : emu_oauth_fail(err, 500, "internal_failure", "%s", why.text);
}

static void answer(struct http_reply *reply, int status, json_t *body)
{
    if (body)
        http_reply_json(reply, status, body);
    reply->content_type = "application/json; charset=utf-8";
    http_reply_header(reply, "Cache-Control", "no-store"); /* RFC 6749, section 5.1 */
}

void emu_api_token(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_cloud *cloud = app;
    struct emu_oauth_error err = {0};
    struct emu_assertion assertion = {0};
    json_auto_t *body = NULL;
    auto_free char *text = req->body_len <= FORM_MAX ? malloc(req->body_len + 1) : NULL;
    int rc = text ? 0 : emu_oauth_fail(&err, 400, "invalid_request", "The form is too large.");
    if (rc == 0) {
        memcpy(text, req->body ? req->body : "", req->body_len);
        text[req->body_len] = '\0';
        rc = exchange(cloud, req, text, &assertion, &body, &err);
    }
    if (rc < 0)
        body = json_pack("{s:s, s:s}", "error", err.error, "error_description", err.description);
    answer(reply, rc == 0 ? 200 : err.status, body);
    if (rc == 0)
        emu_reqlog_note(reply, assertion.email, NULL);
}
