/* SPDX-License-Identifier: Apache-2.0 */
/* A service account's key: the JWT bearer grant (RFC 7523), or a JWT that is the token itself. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exchange.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "source.h"

enum { FORM_MAX = 64 * 1024 };

struct service_account {
    struct launch_source base;
    struct launch_purpose purpose;
    struct launch_keyfile key;
};

static const char *endpoint_of(const struct service_account *s)
{
    const char *given = s->purpose.rules->token_endpoint;
    return given ? given : s->key.token_uri;
}

static int sign_token(struct service_account *s, struct launch_grant *ret, struct vmcp_error *err)
{
    auto_grant struct launch_grant made = {0};
    int rc = launch_keyfile_token(&s->key, s->purpose.audience, time(NULL), &made.token, err);
    return rc < 0 ? rc : launch_grant_set(ret, made.token, LAUNCH_JWT_LIFE, err);
}

static int fetch(struct launch_source *source, struct http_client *http, struct launch_grant *ret,
                 struct vmcp_error *err)
{
    struct service_account *s = (struct service_account *)source;
    auto_secret_buf struct vmcp_buf form = VMCP_BUF(FORM_MAX);
    auto_grant struct launch_grant assertion = {0};
    json_auto_t *answer = NULL;
    int64_t date = 0;
    if (s->purpose.self_signed)
        return sign_token(s, ret, err);
    const char *url = endpoint_of(s);
    int rc =
        launch_keyfile_assertion(&s->key, url, s->purpose.scope, time(NULL), &assertion.token, err);
    if (rc < 0)
        return rc;
    launch_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    launch_form_add(&form, "assertion", assertion.token);
    rc = vmcp_buf_check(&form, "the assertion", err);
    struct launch_post post = {.url = url,
                               .content_type = "application/x-www-form-urlencoded",
                               .body = form.data,
                               .end = s->base.end};
    if (rc == 0)
        rc = launch_exchange(http, s->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = launch_grant_read(answer, ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static void drop(struct launch_source *source)
{
    struct service_account *s = (struct service_account *)source;
    launch_keyfile_clear(&s->key);
    free(s);
}

int launch_source_service_account(const char *where, const json_t *document,
                                  const struct launch_purpose *purpose, struct launch_source **ret,
                                  struct vmcp_error *err)
{
    struct service_account *s = calloc(1, sizeof(*s));
    if (!s)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key");
    auto_source struct launch_source *made = &s->base;
    s->base = (struct launch_source){.fetch = fetch, .free = drop};
    s->purpose = *purpose;
    int rc = launch_keyfile_read(where, document, &s->key, err);
    if (rc < 0)
        return rc;
    snprintf(s->base.name, sizeof(s->base.name), "%s (%s)", where, s->key.email);
    /* Elsewhere than at Google there may be no token endpoint to trust with it. */
    if (strcmp(purpose->rules->universe, "googleapis.com") != 0 && !purpose->rules->token_endpoint)
        s->purpose.self_signed = true;
    rc = s->purpose.self_signed ? 0 : launch_destination_check(purpose->rules, endpoint_of(s), err);
    if (rc < 0)
        return vmcp_error_locate(err, "token_uri");
    *ret = steal(&made);
    return 0;
}
