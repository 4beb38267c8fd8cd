/* SPDX-License-Identifier: Apache-2.0 */
/* Acting as a service account: generateAccessToken of the IAM Credentials API. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/resource.h"
#include "exchange.h"
#include "lib/json.h"
#include "source.h"

struct impersonated {
    struct launch_source base;
    struct launch_purpose purpose;
    struct launch_source *caller; /* owned */
    char *url, *body;
};

int launch_iam_url(const char *iam, const char *email, const char *method, char **ret,
                   struct vmcp_error *err)
{
    *ret = NULL;
    if (!launch_is_account(email) || strcmp(email, "default") == 0)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "`%.64s` is no service account's e-mail address, such as "
                         "deployer@web-1234.iam.gserviceaccount.com",
                         email);
    if (asprintf(ret, "%sv1/projects/-/serviceAccounts/%s:%s", iam, email, method) >= 0)
        return 0;
    *ret = NULL;
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
}

int launch_impersonation_url(const char *iam, const char *email, char **ret, struct vmcp_error *err)
{
    return launch_iam_url(iam, email, "generateAccessToken", ret, err);
}

/* Seconds from `now` to an RFC 3339 time; -1 for what is none. */
static int64_t seconds_until(const char *text, int64_t now)
{
    struct tm t = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &t) : NULL;
    int hours = 0, minutes = 0;
    if (!rest)
        return -1;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    int64_t at = timegm(&t);
    if (strcmp(rest, "Z") == 0)
        return at - now;
    if ((*rest != '+' && *rest != '-') || sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2)
        return -1;
    return at - (*rest == '+' ? 1 : -1) * (hours * 3600 + minutes * 60) - now;
}

static int read_answer(const json_t *answer, int64_t date, struct launch_grant *ret,
                       struct vmcp_error *err)
{
    const char *token = json_string_value(json_object_get(answer, "accessToken"));
    const char *expires = json_string_value(json_object_get(answer, "expireTime"));
    /* By the endpoint's own clock where it tells it: ours may be wrong. */
    int64_t seconds = seconds_until(expires, date ? date : time(NULL));
    return launch_grant_set(ret, token, seconds, err);
}

static int fetch(struct launch_source *source, struct http_client *http, struct launch_grant *ret,
                 struct vmcp_error *err)
{
    struct impersonated *i = (struct impersonated *)source;
    auto_grant struct launch_grant own = {0};
    json_auto_t *answer = NULL;
    int64_t date = 0;
    i->caller->end = i->base.end;
    int rc = i->caller->fetch(i->caller, http, &own, err);
    if (rc < 0)
        return vmcp_error_locate(err, i->caller->name);
    struct launch_post post = {.url = i->url,
                               .content_type = "application/json",
                               .body = i->body,
                               .bearer = own.token,
                               .end = i->base.end};
    rc = launch_exchange(http, i->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = read_answer(answer, date, ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static void drop(struct launch_source *source)
{
    struct impersonated *i = (struct impersonated *)source;
    launch_source_free(i->caller);
    free(i->url);
    free(i->body);
    free(i);
}

/* {"scope", "lifetime", "delegates": ["projects/-/serviceAccounts/…"]} */
static int make_body(struct impersonated *i, const json_t *delegates, int64_t lifetime,
                     struct vmcp_error *err)
{
    char seconds[24];
    json_auto_t *names = json_array();
    snprintf(seconds, sizeof(seconds), "%llds", (long long)lifetime);
    for (size_t k = 0; k < json_array_size(delegates); k++) {
        const char *name = json_string_value(json_array_get(delegates, k));
        const char *email = name ? launch_last_part(name) : "";
        if (!launch_is_account(email))
            return vmcp_fail(err, VMCP_E_CREDENTIALS, "delegate %zu is no service account", k + 1);
        json_array_append_new(names, json_sprintf("projects/-/serviceAccounts/%s", email));
    }
    json_auto_t *body = json_pack("{s:[s], s:s}", "scope", i->purpose.scope, "lifetime", seconds);
    if (json_array_size(names))
        json_object_set(body, "delegates", names);
    i->body = body ? vmcp_json_text(body, NULL) : NULL;
    return i->body ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a request");
}

int launch_source_impersonated(struct launch_source *base, const char *url, const json_t *delegates,
                               int64_t lifetime, const struct launch_purpose *purpose,
                               struct launch_source **ret, struct vmcp_error *err)
{
    auto_source struct launch_source *caller = base;
    struct impersonated *i = calloc(1, sizeof(*i));
    if (!i)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an impersonation");
    auto_source struct launch_source *made = &i->base;
    i->base = (struct launch_source){.fetch = fetch, .free = drop};
    i->purpose = *purpose;
    i->caller = steal(&caller);
    i->url = strdup(url);
    if (!i->url)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    const char *account = launch_last_part(url);
    snprintf(i->base.name, sizeof(i->base.name), "%.*s by way of %.150s",
             (int)strcspn(account, ":"), account, i->caller->name);
    int rc = launch_destination_check(purpose->rules, url, err);
    if (rc < 0)
        return vmcp_error_locate(err, "the impersonation URL");
    rc = make_body(i, delegates, lifetime, err);
    if (rc == 0)
        *ret = steal(&made);
    return rc;
}
