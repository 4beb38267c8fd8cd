/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <pthread.h>
#include <string.h>

#include "clock.h"

enum {
    MARGIN = 225,  /* seconds */
    LAST_CALL = 10 /* what is left of a token that is used though no fresh one can be had */
};

struct launch_token {
    pthread_mutex_t lock; /* over everything below */
    struct launch_source *source;
    struct http_client *http;
    struct launch_grant grant; /* .token NULL: none yet */
    int64_t expires;           /* launch_uptime() */
};

int launch_token_new(struct launch_source *source, struct launch_token **ret,
                     struct vmcp_error *err)
{
    auto_source struct launch_source *taken = source;
    struct launch_token *token = calloc(1, sizeof(*token));
    if (!token)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    int rc = http_client_new(&token->http, err);
    if (rc < 0) {
        free(token);
        return rc;
    }
    pthread_mutex_init(&token->lock, NULL);
    token->source = steal(&taken);
    *ret = token;
    return 0;
}

void launch_token_free(struct launch_token *token)
{
    if (!token)
        return;
    pthread_mutex_destroy(&token->lock);
    launch_grant_clear(&token->grant);
    launch_source_free(token->source);
    http_client_free(token->http);
    free(token);
}

static int renew(struct launch_token *token, struct vmcp_error *err)
{
    auto_grant struct launch_grant grant = {0};
    int64_t asked = launch_uptime();
    int rc = token->source->fetch(token->source, token->http, &grant, err);
    if (rc < 0)
        return vmcp_error_locate(err, token->source->name);
    launch_grant_clear(&token->grant);
    token->grant = grant;
    grant = (struct launch_grant){0};
    token->expires = asked + token->grant.seconds;
    return 0;
}

static int renew_if_due(struct launch_token *token, const char *refused, struct vmcp_error *err)
{
    int64_t left = token->expires - launch_uptime();
    const char *kept = token->grant.token;
    bool is_refused = kept && refused && strcmp(kept, refused) == 0;
    if (kept && !is_refused && left >= MARGIN)
        return 0;
    int rc = renew(token, err);
    bool good_enough = kept && !is_refused && left >= LAST_CALL;
    return rc == -VMCP_E_NETWORK && good_enough ? 0 : rc;
}

int launch_token_get(struct launch_token *token, const char *refused, int64_t end,
                     struct vmcp_buf *out, struct vmcp_error *err)
{
    pthread_mutex_lock(&token->lock);
    token->source->end = end;
    int rc = renew_if_due(token, refused, err);
    if (rc == 0) {
        vmcp_buf_wipe(out);
        vmcp_buf_adds(out, token->grant.token);
        rc = vmcp_buf_check(out, "the access token", err);
    }
    pthread_mutex_unlock(&token->lock);
    return rc;
}

const char *launch_token_name(const struct launch_token *token)
{
    return token->source->name;
}
