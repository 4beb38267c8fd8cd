/* SPDX-License-Identifier: Apache-2.0 */
/* `env`: tokens that somebody put into the environment. Nobody knows how long they live, so an
 * hour is said, always. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/auto.h"
#include "token_source.h"

enum { SAID_LIFE = 3600 };

struct env {
    const char *access, *identity; /* the environment's */
};

static int copy(const char *variable, char *ret, size_t size, const char *allowed,
                struct vmcp_error *err)
{
    const char *text = getenv(variable);
    if (!text || !*text)
        return 0;
    if (strlen(text) >= size || strspn(text, allowed) != strlen(text))
        return vmcp_fail_at(err, VMCP_E_USAGE, variable,
                            "its value is none that Google Cloud would have");
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int open_env(const char *spec, void **ret_state, struct emu_persona *ret_persona,
                    struct vmcp_error *err)
{
    static const char digits[] = "0123456789", project[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    static const char email[] = "abcdefghijklmnopqrstuvwxyz0123456789-.@_+"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (strcmp(spec, "env") != 0)
        return vmcp_fail_at(err, VMCP_E_USAGE, spec, "`env` takes nothing behind it");
    struct env *env = calloc(1, sizeof(*env));
    if (!env)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a source of tokens");
    *ret_state = env;
    env->access = getenv("GOOGLE_ACCESS_TOKEN");
    env->identity = getenv("GOOGLE_ID_TOKEN");
    if (!env->access && !env->identity)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--token-source env wants GOOGLE_ACCESS_TOKEN or GOOGLE_ID_TOKEN in the "
                         "environment");
    struct emu_persona *p = ret_persona;
    int rc = copy("GOOGLE_PROJECT_ID", p->project, sizeof(p->project), project, err);
    if (rc == 0)
        rc = copy("GOOGLE_NUMERIC_PROJECT_ID", p->number, sizeof(p->number), digits, err);
    return rc < 0 ? rc : copy("GOOGLE_SERVICE_ACCOUNT", p->email, sizeof(p->email), email, err);
}

static int fetch_env(void *state, enum emu_want want, const char *what, struct emu_fetched *ret,
                     struct vmcp_error *err)
{
    const struct env *env = state;
    const char *token = want == EMU_WANT_ACCESS ? env->access : env->identity;
    (void)what;
    if (!token || !*token)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "%s is not in the environment",
                         want == EMU_WANT_ACCESS ? "GOOGLE_ACCESS_TOKEN" : "GOOGLE_ID_TOKEN");
    ret->token = strdup(token);
    ret->expires = time(NULL) + SAID_LIFE;
    return ret->token ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
}

const struct emu_token_kind emu_token_env = {.name = "env",
                                             .margin = SAID_LIFE - 60,
                                             .one_scope = true,
                                             .open = open_env,
                                             .fetch = fetch_env,
                                             .close = free};
