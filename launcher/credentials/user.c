/* SPDX-License-Identifier: Apache-2.0 */
/* A person's refresh token, as `gcloud auth application-default login` leaves it (RFC 6749, section
 * 6). */
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "source.h"

enum { FORM_MAX = 64 * 1024 };

struct user {
    struct launch_source base;
    struct launch_purpose purpose;
    struct vmcp_buf form; /* what is sent each time; holds the secrets */
    char *url;
};

static int fetch(struct launch_source *source, struct http_client *http, struct launch_grant *ret,
                 struct vmcp_error *err)
{
    struct user *u = (struct user *)source;
    json_auto_t *answer = NULL;
    int64_t date = 0;
    struct launch_post post = {.url = u->url,
                               .content_type = "application/x-www-form-urlencoded",
                               .body = u->form.data,
                               .end = u->base.end};
    int rc = launch_exchange(http, u->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = launch_grant_read(answer, ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static void drop(struct launch_source *source)
{
    struct user *u = (struct user *)source;
    vmcp_buf_wipe(&u->form);
    free(u->url);
    free(u);
}

static int take(const char *where, const json_t *document, struct user *u, struct vmcp_error *err)
{
    static const char *const members[] = {"client_id", "client_secret", "refresh_token"};
    const char *given = u->purpose.rules->token_endpoint;
    const char *uri = json_string_value(json_object_get(document, "token_uri"));
    launch_form_add(&u->form, "grant_type", "refresh_token");
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        const char *value = json_string_value(json_object_get(document, members[i]));
        if (!value || !*value)
            return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                                "no `%s`; log in again: gcloud auth application-default login",
                                members[i]);
        launch_form_add(&u->form, members[i], value);
    }
    u->url = strdup(given ? given : uri ? uri : LAUNCH_TOKEN_URI);
    if (!u->url)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    int rc = vmcp_buf_check(&u->form, "the refresh token", err);
    if (rc < 0)
        return rc;
    rc = launch_destination_check(u->purpose.rules, u->url, err);
    return rc < 0 ? vmcp_error_locate(err, "token_uri") : 0;
}

int launch_source_user(const char *where, const json_t *document,
                       const struct launch_purpose *purpose, struct launch_source **ret,
                       struct vmcp_error *err)
{
    struct user *u = calloc(1, sizeof(*u));
    if (!u)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a login");
    auto_source struct launch_source *made = &u->base;
    u->base = (struct launch_source){.fetch = fetch, .free = drop};
    u->form = (struct vmcp_buf)VMCP_BUF(FORM_MAX);
    u->purpose = *purpose;
    snprintf(u->base.name, sizeof(u->base.name), "%s (a person's login)", where);
    int rc = take(where, document, u, err);
    if (rc == 0)
        *ret = steal(&made);
    return rc;
}
