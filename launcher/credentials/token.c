/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/resource.h"
#include "lib/buf.h"
#include "lib/json.h"

enum {
    ANSWER_MAX = 64 * 1024,
    MARGIN = 225, /* seconds */
    TRIES = 4
};

struct launch_token {
    int (*fetch)(struct launch_token *token, struct vmcp_buf *answer, struct vmcp_error *err);
    const struct launch_metadata *metadata;
    struct http_client *http;
    const struct launch_destinations *rules;
    struct launch_keyfile keyfile;
    char name[300];
    char *value; /* wiped when it is replaced */
    time_t expires;
};

static time_t uptime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

static void forget(struct launch_token *token)
{
    if (token->value)
        OPENSSL_cleanse(token->value, strlen(token->value));
    free(token->value);
    token->value = NULL;
}

static int fetch_metadata(struct launch_token *token, struct vmcp_buf *answer,
                          struct vmcp_error *err)
{
    bool found = false;
    int rc = launch_metadata_get(token->metadata, "instance/service-accounts/default/token", answer,
                                 &found, err);
    if (rc < 0)
        return rc;
    if (!found)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "this VM has no service account; give it one that may create instances, "
                         "or a key file with --credentials");
    return 0;
}

/* What the token endpoint says is wrong (RFC 6749, section 5.2). */
static int grant_refused(long status, const struct vmcp_buf *body, struct vmcp_error *err)
{
    json_auto_t *document = NULL;
    char what[64] = "", why[160] = "";
    if (body->data && vmcp_json_parse_object(body->data, body->len, &document, NULL) == 0) {
        const char *e = json_string_value(json_object_get(document, "error"));
        const char *d = json_string_value(json_object_get(document, "error_description"));
        launch_clean(e ? e : "", what, sizeof(what));
        launch_clean(d ? d : "", why, sizeof(why));
    }
    const char *hint = strstr(why, "short-lived token") ? "; is this machine's clock right?" : "";
    return vmcp_fail(err, VMCP_E_CREDENTIALS, "the token endpoint answers %ld %s: %s%s", status,
                     what, why, hint);
}

static int post_assertion(struct launch_token *token, const char *url, const char *form,
                          struct vmcp_buf *answer, bool *ret_again, struct vmcp_error *err)
{
    auto_response struct http_response response = {0};
    struct http_exchange exchange = {.method = "POST",
                                     .url = url,
                                     .accept = "application/json",
                                     .content_type = "application/x-www-form-urlencoded",
                                     .body = form,
                                     .body_len = strlen(form),
                                     .max_body = ANSWER_MAX};
    *ret_again = true;
    int rc = http_client_do(token->http, &exchange, &response, err);
    if (rc < 0) {
        *ret_again = rc == -VMCP_E_NETWORK || rc == -VMCP_E_TIMEOUT;
        return rc;
    }
    long status = response.status;
    *ret_again = status == 408 || status == 429 || (status >= 500 && status <= 504);
    if (status == 200)
        vmcp_buf_add(answer, response.body.data, response.body.len);
    else
        rc = grant_refused(status, &response.body, err);
    if (response.body.data)
        OPENSSL_cleanse(response.body.data, response.body.len);
    return rc < 0 ? rc : vmcp_buf_check(answer, "the token endpoint's answer", err);
}

static int fetch_keyfile(struct launch_token *token, struct vmcp_buf *answer,
                         struct vmcp_error *err)
{
    const char *given = token->rules->token_endpoint;
    const char *url = given ? given : token->keyfile.token_uri;
    auto_secret_buf struct vmcp_buf form = VMCP_BUF(ANSWER_MAX);
    auto_free char *assertion = NULL;
    bool again = false;
    int rc = launch_destination_check(token->rules, url, err);
    if (rc == 0)
        rc = launch_keyfile_assertion(&token->keyfile, url, LAUNCH_SCOPE, time(NULL), &assertion,
                                      err);
    if (rc < 0)
        return rc;
    vmcp_buf_addf(&form,
                  "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer"
                  "&assertion=%s",
                  assertion);
    OPENSSL_cleanse(assertion, strlen(assertion));
    rc = vmcp_buf_check(&form, "the assertion", err);
    for (int i = 1; rc == 0; i++) {
        rc = post_assertion(token, url, form.data, answer, &again, err);
        if (rc == 0 || !again || i == TRIES)
            break;
        nanosleep(&(struct timespec){.tv_sec = i, .tv_nsec = 0}, NULL);
        rc = 0;
    }
    return rc;
}

/* A token becomes part of a header line: its characters are those of RFC 6750, section 2.1. */
static bool is_bearer(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= 16384 &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") ==
               len;
}

static int keep(struct launch_token *token, const struct vmcp_buf *answer, time_t asked,
                struct vmcp_error *err)
{
    json_auto_t *document = NULL;
    if (!answer->data || vmcp_json_parse_object(answer->data, answer->len, &document, err) < 0)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "the token's document is not JSON");
    const char *value = json_string_value(json_object_get(document, "access_token"));
    const char *type = json_string_value(json_object_get(document, "token_type"));
    json_int_t seconds = json_integer_value(json_object_get(document, "expires_in"));
    int rc = 0;
    if (!value || !is_bearer(value) || !type || strcasecmp(type, "Bearer") != 0 || seconds < 1 ||
        seconds > 86400)
        rc = vmcp_fail(err, VMCP_E_CREDENTIALS,
                       "no bearer token with a lifetime in the token's document");
    forget(token);
    if (rc == 0 && !(token->value = strdup(value)))
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    token->expires = asked + (time_t)seconds;
    vmcp_json_wipe(document);
    return rc;
}

int launch_token_get(struct launch_token *token, bool fresh, const char **ret,
                     struct vmcp_error *err)
{
    time_t now = uptime();
    if (fresh || !token->value || token->expires - now < MARGIN) {
        auto_secret_buf struct vmcp_buf answer = VMCP_BUF(ANSWER_MAX);
        int rc = token->fetch(token, &answer, err);
        if (rc == 0)
            rc = keep(token, &answer, now, err);
        if (rc < 0)
            return vmcp_error_locate(err, token->name);
    }
    *ret = token->value;
    return 0;
}

static struct launch_token *make(void)
{
    return calloc(1, sizeof(struct launch_token));
}

int launch_token_metadata(const struct launch_metadata *metadata, struct launch_token **ret,
                          struct vmcp_error *err)
{
    if (!launch_metadata_is_there(metadata))
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "no credentials: this is not Compute Engine, and neither --credentials "
                         "nor GOOGLE_APPLICATION_CREDENTIALS names a key file");
    struct launch_token *token = make();
    if (!token)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    token->fetch = fetch_metadata;
    token->metadata = metadata;
    snprintf(token->name, sizeof(token->name), "the metadata server's service account");
    *ret = token;
    return 0;
}

int launch_token_keyfile(struct launch_keyfile *keyfile, struct http_client *http,
                         const struct launch_destinations *rules, struct launch_token **ret,
                         struct vmcp_error *err)
{
    const char *url = rules->token_endpoint ? rules->token_endpoint : keyfile->token_uri;
    int rc = launch_destination_check(rules, url, err);
    if (rc < 0)
        return vmcp_error_locate(err, "token_uri");
    struct launch_token *token = make();
    if (!token)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    token->fetch = fetch_keyfile;
    token->http = http;
    token->rules = rules;
    token->keyfile = *keyfile;
    *keyfile = (struct launch_keyfile){0};
    snprintf(token->name, sizeof(token->name), "the key of %s", token->keyfile.email);
    *ret = token;
    return 0;
}

void launch_token_free(struct launch_token *token)
{
    if (!token)
        return;
    forget(token);
    launch_keyfile_clear(&token->keyfile);
    free(token);
}

const char *launch_token_name(const struct launch_token *token)
{
    return token->name;
}
