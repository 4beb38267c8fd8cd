/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_MAX = 16384, LIFETIME_MAX = 86400 };

void launch_grant_clear(struct launch_grant *grant)
{
    if (grant->token)
        OPENSSL_cleanse(grant->token, strlen(grant->token));
    free(grant->token);
    *grant = (struct launch_grant){0};
}

static bool is_bearer(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= TOKEN_MAX &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") ==
               len;
}

int launch_grant_set(struct launch_grant *grant, const char *token, int64_t seconds,
                     struct vmcp_error *err)
{
    if (!token || !is_bearer(token))
        return vmcp_fail(
            err, VMCP_E_CREDENTIALS,
            "what was given is no bearer token: 1 to %d of A-Z a-z 0-9 - . _ ~ + / =", TOKEN_MAX);
    if (seconds < 1 || seconds > LIFETIME_MAX)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "the token is said to live for %lld seconds; 1 to %d would do",
                         (long long)seconds, LIFETIME_MAX);
    launch_grant_clear(grant);
    grant->token = strdup(token);
    grant->seconds = seconds;
    return grant->token ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
}

int launch_grant_read(const json_t *answer, struct launch_grant *ret, struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(answer, "token_type"));
    if (!type || strcasecmp(type, "Bearer") != 0)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "what was given is not of token_type Bearer");
    return launch_grant_set(ret, json_string_value(json_object_get(answer, "access_token")),
                            json_integer_value(json_object_get(answer, "expires_in")), err);
}

void launch_source_free(struct launch_source *source)
{
    if (source)
        source->free(source);
}
