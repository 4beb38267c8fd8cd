/* SPDX-License-Identifier: Apache-2.0 */
#include "token_source.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lib/auto.h"
#include "lib/jws.h"

enum { ENTRIES_MAX = 64, FAILURE_MS = 1000, UNREAD_LIFE = 300 };

struct entry {
    enum emu_want want;
    enum emu_token_state state;
    char *what; /* NULL: this place is free */
    char *token;
    int64_t expires;   /* seconds since 1970 */
    int64_t failed_at; /* milliseconds */
    struct vmcp_error err;
};

struct emu_token_source {
    const struct emu_token_kind *kind;
    void *state;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stopping;
    void (*wake)(void *arg);
    void *arg;
    struct entry entries[ENTRIES_MAX];
};

void emu_token_wipe(char *token)
{
    if (token)
        OPENSSL_cleanse(token, strlen(token));
    free(token);
}

int64_t emu_token_expiry(const char *jwt)
{
    auto_jws struct vmcp_jws jws = {0};
    if (vmcp_jws_parse(jwt, strlen(jwt), NULL, &jws, NULL) == 0 &&
        json_is_integer(json_object_get(jws.payload, "exp")))
        return json_integer_value(json_object_get(jws.payload, "exp"));
    return time(NULL) + UNREAD_LIFE;
}

static void forget(struct entry *e)
{
    emu_token_wipe(e->token);
    free(e->what);
    *e = (struct entry){0};
}

int emu_token_source_new(const char *spec, struct emu_token_source **ret,
                         struct emu_persona *ret_persona, struct vmcp_error *err)
{
    static const struct emu_token_kind *const kinds[] = {&emu_token_env, &emu_token_gcloud,
                                                         &emu_token_key};
    *ret = NULL;
    if (!spec || strcmp(spec, "local") == 0)
        return 0;
    struct emu_token_source *source = calloc(1, sizeof(*source));
    if (!source)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a source of tokens");
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->changed, NULL);
    size_t name = strcspn(spec, ":");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i]->name) == name && strncmp(kinds[i]->name, spec, name) == 0)
            source->kind = kinds[i];
    int rc = source->kind
                 ? source->kind->open(spec, &source->state, ret_persona, err)
                 : vmcp_fail_at(err, VMCP_E_USAGE, spec,
                                "there is no such source of tokens; local, key:FILE, gcloud and "
                                "env are there");
    if (rc < 0) {
        emu_token_source_free(source);
        return rc;
    }
    *ret = source;
    return 0;
}

void emu_token_source_stop(struct emu_token_source *source)
{
    if (!source || !source->running)
        return;
    pthread_mutex_lock(&source->lock);
    source->stopping = true;
    pthread_cond_signal(&source->changed);
    pthread_mutex_unlock(&source->lock);
    if (source->kind->stop)
        source->kind->stop(source->state);
    pthread_join(source->thread, NULL);
    source->running = false;
}

void emu_token_source_free(struct emu_token_source *source)
{
    if (!source)
        return;
    emu_token_source_stop(source);
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        forget(&source->entries[i]);
    if (source->state)
        source->kind->close(source->state);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

static struct entry *next_pending(struct emu_token_source *source)
{
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        if (source->entries[i].what && source->entries[i].state == EMU_TOKEN_PENDING)
            return &source->entries[i];
    return NULL;
}

/* Locked by the caller, and unlocked while it takes its time: a place that is pending stays where
 * it is, with what it has. */
static void fetch(struct emu_token_source *source, struct entry *e)
{
    struct emu_fetched got = {0};
    struct vmcp_error err = {0};
    pthread_mutex_unlock(&source->lock);
    int rc = source->kind->fetch(source->state, e->want, e->what, &got, &err);
    pthread_mutex_lock(&source->lock);
    emu_token_wipe(e->token);
    e->token = got.token;
    e->expires = got.expires;
    e->state = rc < 0 ? EMU_TOKEN_FAILED : EMU_TOKEN_READY;
    e->failed_at = emu_clock_ms();
    e->err = err;
}

static void *run(void *arg)
{
    struct emu_token_source *source = arg;
    pthread_mutex_lock(&source->lock);
    while (!source->stopping) {
        struct entry *e = next_pending(source);
        if (!e) {
            pthread_cond_wait(&source->changed, &source->lock);
            continue;
        }
        fetch(source, e);
        pthread_mutex_unlock(&source->lock);
        source->wake(source->arg);
        pthread_mutex_lock(&source->lock);
    }
    pthread_mutex_unlock(&source->lock);
    return NULL;
}

int emu_token_source_start(struct emu_token_source *source, void (*wake)(void *arg), void *arg,
                           struct vmcp_error *err)
{
    if (!source)
        return 0;
    source->wake = wake;
    source->arg = arg;
    if (pthread_create(&source->thread, NULL, run, source) != 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread for a source of tokens");
    source->running = true;
    return 0;
}

/* The entry for this, or a free place, or that of the one that expires first; NULL if all wait. */
static struct entry *place_for(struct emu_token_source *source, enum emu_want want,
                               const char *what)
{
    struct entry *best = NULL;
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *e = &source->entries[i];
        if (e->what && e->want == want && strcmp(e->what, what) == 0)
            return e;
        bool usable = !e->what || e->state != EMU_TOKEN_PENDING;
        if (usable && (!best || (best->what && (!e->what || e->expires < best->expires))))
            best = e;
    }
    if (!best)
        return NULL;
    forget(best);
    best->want = want;
    best->state = EMU_TOKEN_FAILED; /* long ago */
    best->what = strdup(what);
    return best->what ? best : NULL;
}

static enum emu_token_state look(struct emu_token_source *source, struct entry *e, char **ret_token,
                                 int64_t *ret_left, struct vmcp_error *err)
{
    int64_t left = e->expires - time(NULL);
    if (e->state == EMU_TOKEN_READY && left > source->kind->margin) {
        *ret_token = strdup(e->token);
        *ret_left = left;
        if (*ret_token)
            return EMU_TOKEN_READY;
        e->err = (struct vmcp_error){0};
    } else if (e->state == EMU_TOKEN_PENDING || e->failed_at + FAILURE_MS < emu_clock_ms()) {
        e->state = EMU_TOKEN_PENDING;
        pthread_cond_signal(&source->changed);
        return EMU_TOKEN_PENDING;
    }
    *err = e->err;
    if (e->state == EMU_TOKEN_READY) /* got just now, and too old already */
        vmcp_fail(err, VMCP_E_CREDENTIALS, "the token that came has expired, or is about to");
    return EMU_TOKEN_FAILED;
}

enum emu_token_state emu_token_source_get(struct emu_token_source *source, enum emu_want want,
                                          const char *what, char **ret_token, int64_t *ret_left,
                                          struct vmcp_error *err)
{
    if (want == EMU_WANT_ACCESS && source->kind->one_scope)
        what = "";
    pthread_mutex_lock(&source->lock);
    struct entry *e = place_for(source, want, what);
    enum emu_token_state state = EMU_TOKEN_FAILED;
    if (e)
        state = look(source, e, ret_token, ret_left, err);
    else
        vmcp_fail(err, VMCP_E_OVERLOADED, "too many tokens are waited for");
    pthread_mutex_unlock(&source->lock);
    return state;
}
