/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base64.h"

enum { RANDOM_LEN = 72, CACHE_MAX = 1024, FRESH = 240 /* seconds */ };

struct cached {
    char *key; /* "EMAIL SCOPES" */
    char token[EMU_TOKEN_MAX + 1];
    int64_t expires; /* seconds since 1970 */
};

struct emu_tokens {
    struct emu_store *store;
    pthread_mutex_t lock;
    struct cached cache[CACHE_MAX];
    size_t count;
};

int emu_tokens_new(struct emu_store *store, struct emu_tokens **ret, struct vmcp_error *err)
{
    struct emu_tokens *tokens = calloc(1, sizeof(*tokens));
    if (!tokens)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for tokens");
    tokens->store = store;
    pthread_mutex_init(&tokens->lock, NULL);
    *ret = tokens;
    return 0;
}

static void forget(struct cached *c)
{
    OPENSSL_cleanse(c->token, sizeof(c->token));
    free(c->key);
    *c = (struct cached){0};
}

void emu_tokens_free(struct emu_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < tokens->count; i++)
        forget(&tokens->cache[i]);
    pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

static void digest_of(const char *token, char ret[static 2 * SHA256_DIGEST_LENGTH + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)token, strlen(token), digest);
    vmcp_hex_encode(digest, sizeof(digest), ret);
}

int emu_tokens_mint(struct emu_tokens *tokens, const char *email, const char *scopes, int64_t life,
                    char ret[static EMU_TOKEN_MAX + 1], struct vmcp_error *err)
{
    uint8_t random[RANDOM_LEN];
    char text[VMCP_BASE64_CHARS(RANDOM_LEN) + 1], digest[2 * SHA256_DIGEST_LENGTH + 1];
    if (strlen(scopes) > EMU_SCOPES_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "scopes of over %d characters", EMU_SCOPES_MAX);
    if (RAND_bytes(random, sizeof(random)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random bytes for a token");
    vmcp_base64_encode(VMCP_BASE64_URL, random, sizeof(random), text);
    snprintf(ret, EMU_TOKEN_MAX + 1, "ya29.c.%s", text);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(random, sizeof(random));
    digest_of(ret, digest);
    int64_t now = time(NULL);
    int rc = emu_store_run(tokens->store, NULL, NULL, err, "DELETE FROM token WHERE expires < ?1",
                           "i", now);
    if (rc < 0)
        return rc;
    return emu_store_run(
        tokens->store, NULL, NULL, err,
        "INSERT INTO token (digest, email, scopes, expires) VALUES (?1, ?2, ?3, ?4)", "ttti",
        digest, email, scopes, now + life);
}

/* The place for `key`: its own, a free one, or the one that expires first. */
static struct cached *place_for(struct emu_tokens *tokens, const char *key)
{
    struct cached *oldest = &tokens->cache[0];
    for (size_t i = 0; i < tokens->count; i++) {
        struct cached *c = &tokens->cache[i];
        if (strcmp(c->key, key) == 0)
            return c;
        if (c->expires < oldest->expires)
            oldest = c;
    }
    if (tokens->count < CACHE_MAX)
        return &tokens->cache[tokens->count];
    return oldest;
}

static int get_locked(struct emu_tokens *tokens, const char *email, const char *scopes,
                      struct cached **ret, struct vmcp_error *err)
{
    auto_free char *key = NULL;
    if (asprintf(&key, "%s %s", email, scopes) < 0) {
        key = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
    }
    struct cached *c = place_for(tokens, key);
    if (c->key && strcmp(c->key, key) == 0 && c->expires - time(NULL) > FRESH) {
        *ret = c;
        return 0;
    }
    struct cached fresh = {.expires = time(NULL) + EMU_TOKEN_LIFE};
    int rc = emu_tokens_mint(tokens, email, scopes, EMU_TOKEN_LIFE, fresh.token, err);
    if (rc < 0)
        return rc;
    if (c == &tokens->cache[tokens->count])
        tokens->count++;
    forget(c);
    fresh.key = steal(&key);
    *c = fresh;
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    *ret = c;
    return 0;
}

int emu_tokens_get(struct emu_tokens *tokens, const char *email, const char *scopes,
                   char ret[static EMU_TOKEN_MAX + 1], int64_t *ret_left, struct vmcp_error *err)
{
    pthread_mutex_lock(&tokens->lock);
    struct cached *c = NULL;
    int rc = get_locked(tokens, email, scopes, &c, err);
    if (rc == 0) {
        memcpy(ret, c->token, sizeof(c->token));
        *ret_left = c->expires - time(NULL);
    }
    pthread_mutex_unlock(&tokens->lock);
    return rc;
}

struct owner {
    bool found;
    char *email, *scopes;
};

static int read_owner(void *arg, sqlite3_stmt *row)
{
    struct owner *owner = arg;
    snprintf(owner->email, EMU_EMAIL_MAX + 1, "%s", emu_store_text(row, 0));
    snprintf(owner->scopes, EMU_SCOPES_MAX + 1, "%s", emu_store_text(row, 1));
    owner->found = true;
    return 0;
}

int emu_tokens_check(struct emu_tokens *tokens, const char *token, bool *ret_found,
                     char ret_email[static EMU_EMAIL_MAX + 1],
                     char ret_scopes[static EMU_SCOPES_MAX + 1], struct vmcp_error *err)
{
    char digest[2 * SHA256_DIGEST_LENGTH + 1];
    digest_of(token, digest);
    struct owner owner = {.email = ret_email, .scopes = ret_scopes};
    int rc = emu_store_run(tokens->store, read_owner, &owner, err,
                           "SELECT email, scopes FROM token WHERE digest = ?1 AND expires > ?2",
                           "ti", digest, (int64_t)time(NULL));
    *ret_found = rc == 0 && owner.found;
    return rc;
}

static int read_expiry(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

int emu_tokens_expiry(struct emu_tokens *tokens, const char *token, int64_t *ret,
                      struct vmcp_error *err)
{
    char digest[2 * SHA256_DIGEST_LENGTH + 1];
    digest_of(token, digest);
    *ret = 0;
    return emu_store_run(tokens->store, read_expiry, ret, err,
                         "SELECT expires FROM token WHERE digest = ?1", "t", digest);
}

bool emu_scopes_have(const char *scopes, const char *scope)
{
    size_t len = strlen(scope);
    for (const char *p = scopes; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (strncmp(p, scope, len) == 0 && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}
