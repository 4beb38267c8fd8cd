/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/joburi.h"

enum { KEPT_MAX = 256, LIFETIME = 3600, EMAIL_MAX = 512 };

struct kept {
    enum vmcp_job_token kind;
    char *account, *target; /* "" account: the credential's own; target: scope, or audience */
    char *origin;           /* for whom a self-signed token is */
    struct launch_token *token;
    unsigned users; /* threads that ask it now */
    uint64_t used;  /* when it was last asked, as a count */
};

struct launch_tokens {
    const struct launch_settings *settings;
    const struct launch_metadata *metadata;
    struct launch_purpose purpose;
    pthread_mutex_t lock; /* over what follows */
    struct launch_adc adc;
    char *own; /* the credential's own account; NULL: not known yet, "": it has none */
    struct kept kept[KEPT_MAX];
    size_t count;
    uint64_t asked;
};

int launch_tokens_new(const struct launch_settings *settings,
                      const struct launch_metadata *metadata, const struct launch_purpose *purpose,
                      struct launch_tokens **ret, struct vmcp_error *err)
{
    struct launch_tokens *t = calloc(1, sizeof(*t));
    if (!t)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for tokens");
    t->settings = settings;
    t->metadata = metadata;
    t->purpose = *purpose;
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return 0;
}

static void drop(struct kept *k)
{
    launch_token_free(k->token);
    free(k->account);
    free(k->target);
    free(k->origin);
    *k = (struct kept){0};
}

void launch_tokens_free(struct launch_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < tokens->count; i++)
        drop(&tokens->kept[i]);
    launch_adc_clear(&tokens->adc);
    pthread_mutex_destroy(&tokens->lock);
    free(tokens->own);
    free(tokens);
}

static int ask_email(const struct launch_tokens *t, char **ret, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(EMAIL_MAX);
    auto_client struct http_client *http = NULL;
    struct launch_metadata metadata = *t->metadata;
    bool found = false;
    int rc = http_client_new(&http, err);
    metadata.http = http;
    if (rc == 0)
        rc = launch_metadata_get(&metadata, "instance/service-accounts/default/email", &text,
                                 &found, err);
    if (rc < 0)
        return rc;
    size_t len = found && text.data ? strcspn(text.data, "\r\n") : 0;
    *ret = strndup(text.data ? text.data : "", len);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an account");
}

/* Choose the credential, when the first job wants a token: others run without one. `own` is whose
 * token it gives by itself; "" where that cannot be told. */
static int find_own(struct launch_tokens *t, struct vmcp_error *err)
{
    if (t->own)
        return 0;
    launch_adc_clear(&t->adc);
    int rc = launch_adc_find(t->settings, t->metadata, &t->adc, err);
    if (rc < 0)
        return rc;
    const char *chain = t->settings->impersonate, *last = chain ? strrchr(chain, ',') : NULL;
    const char *email = json_string_value(json_object_get(t->adc.document, "client_email"));
    if (!chain && t->adc.metadata)
        return ask_email(t, &t->own, err);
    t->own = strdup(last ? last + 1 : chain ? chain : email ? email : "");
    return t->own ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an account");
}

/* What may act as another account. */
static int caller_source(struct launch_tokens *t, struct launch_source **ret,
                         struct vmcp_error *err)
{
    struct launch_purpose to_iam = t->purpose;
    to_iam.scope = LAUNCH_SCOPE_IAM;
    to_iam.audience = t->purpose.iam;
    return launch_adc_source(&t->adc, t->settings, &to_iam, ret, err);
}

static int make_access(struct launch_tokens *t, const struct kept *k, struct launch_source **ret,
                       struct vmcp_error *err)
{
    struct launch_purpose purpose = t->purpose;
    struct launch_source *caller = NULL;
    auto_free char *url = NULL;
    purpose.scope = k->target;
    purpose.audience = k->origin;
    if (!*k->account)
        return launch_adc_source(&t->adc, t->settings, &purpose, ret, err);
    int rc = launch_impersonation_url(t->purpose.iam, k->account, &url, err);
    if (rc == 0)
        rc = caller_source(t, &caller, err);
    return rc < 0 ? rc
                  : launch_source_impersonated(caller, url, NULL, LIFETIME, &purpose, ret, err);
}

/* A key and a VM have identity tokens of their own; all others need an account to act as. */
static int make_identity(struct launch_tokens *t, const struct kept *k, struct launch_source **ret,
                         struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(t->adc.document, "type"));
    const char *account = *k->account ? k->account : t->own;
    struct launch_source *caller = NULL;
    auto_free char *url = NULL;
    if (!*k->account && !t->settings->impersonate && t->adc.metadata)
        return launch_identity_metadata(t->adc.metadata, k->target, ret, err);
    if (!*k->account && !t->settings->impersonate && type && strcmp(type, "service_account") == 0)
        return launch_identity_service_account(t->adc.where, t->adc.document, &t->purpose,
                                               k->target, ret, err);
    if (!*account)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "this credential has no identity tokens of its own: the job's oidcToken "
                         "needs a serviceAccountEmail that it may act as");
    int rc = launch_iam_url(t->purpose.iam, account, "generateIdToken", &url, err);
    if (rc < 0)
        return rc;
    /* --impersonate-service-account made the caller that account already, and it may ask for
     * itself. */
    rc = caller_source(t, &caller, err);
    return rc < 0 ? rc
                  : launch_identity_impersonated(caller, url, &t->purpose, k->target, ret, err);
}

static struct kept *look(struct launch_tokens *t, const struct kept *wanted)
{
    for (size_t i = 0; i < t->count; i++) {
        struct kept *k = &t->kept[i];
        if (k->token && k->kind == wanted->kind && strcmp(k->account, wanted->account) == 0 &&
            strcmp(k->target, wanted->target) == 0 && strcmp(k->origin, wanted->origin) == 0)
            return k;
    }
    return NULL;
}

/* A place for one more: where all are taken, that of the one which nobody wanted for longest. An
 * audience with a macro in it is another one each time. */
static struct kept *make_place(struct launch_tokens *t)
{
    struct kept *oldest = NULL;
    for (size_t i = 0; i < t->count; i++)
        if (!t->kept[i].token || (!t->kept[i].users && (!oldest || t->kept[i].used < oldest->used)))
            oldest = &t->kept[i];
    if (t->count < KEPT_MAX && (!oldest || oldest->token))
        return &t->kept[t->count++];
    if (oldest)
        drop(oldest);
    return oldest;
}

static int add(struct launch_tokens *t, const struct kept *wanted, struct kept **ret,
               struct vmcp_error *err)
{
    struct launch_source *source = NULL;
    struct kept *k = make_place(t);
    if (!k)
        return vmcp_fail(err, VMCP_E_LIMIT, "over %d different tokens are wanted at once",
                         KEPT_MAX);
    *k = (struct kept){.kind = wanted->kind,
                       .account = strdup(wanted->account),
                       .target = strdup(wanted->target),
                       .origin = strdup(wanted->origin)};
    int rc = 0;
    if (!k->account || !k->target || !k->origin)
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    else if (k->kind == VMCP_JOB_TOKEN_OAUTH)
        rc = make_access(t, k, &source, err);
    else
        rc = make_identity(t, k, &source, err);
    if (rc == 0)
        rc = launch_token_new(source, &k->token, err);
    if (rc < 0) {
        drop(k);
        return rc;
    }
    *ret = k;
    return 0;
}

/* The job's own, with this thread as a user of it. */
static int find(struct launch_tokens *tokens, const struct vmcp_job *job, const char *uri,
                const char *url, struct kept **ret, struct vmcp_error *err)
{
    bool oidc = job->token == VMCP_JOB_TOKEN_OIDC;
    const char *target = oidc ? job->audience ? job->audience : uri : job->scope;
    auto_free char *origin = NULL;
    const char *host = strstr(url, "://");
    size_t len = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?") : 0;
    if (asprintf(&origin, "%.*s/", (int)len, url) < 0) {
        origin = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    }
    pthread_mutex_lock(&tokens->lock);
    int rc = find_own(tokens, err);
    const char *account = job->account ? job->account : "";
    if (rc == 0 && strcmp(account, tokens->own) == 0)
        account = "";
    struct kept wanted = {.kind = job->token,
                          .account = (char *)(uintptr_t)account,
                          .target = (char *)(uintptr_t)target,
                          .origin = origin};
    struct kept *k = rc == 0 ? look(tokens, &wanted) : NULL;
    if (rc == 0 && !k)
        rc = add(tokens, &wanted, &k, err);
    if (rc == 0) {
        k->users++;
        k->used = ++tokens->asked;
        *ret = k;
    }
    pthread_mutex_unlock(&tokens->lock);
    return rc;
}

int launch_tokens_get(struct launch_tokens *tokens, const struct vmcp_job *job, const char *uri,
                      const char *url, const char *refused, int64_t end, struct vmcp_buf *bearer,
                      struct vmcp_error *err)
{
    struct kept *k = NULL;
    int rc = find(tokens, job, uri, url, &k, err);
    if (rc < 0)
        return rc;
    rc = launch_token_get(k->token, refused, end, bearer, err);
    pthread_mutex_lock(&tokens->lock);
    k->users--;
    pthread_mutex_unlock(&tokens->lock);
    return rc;
}
