/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "merge.h"

enum { SALT_BYTES = 16, HASH_BYTES = 32 };

static void digest_free(EVP_MD_CTX *ctx)
{
    EVP_MD_CTX_free(ctx);
}
VMCP_DEFINE_AUTO(digest_auto, EVP_MD_CTX *, digest_free)

static bool hash(const uint8_t salt[static SALT_BYTES], const char *domain, const char *machine,
                 const char *secret, uint8_t ret[static HASH_BYTES])
{
    VMCP_AUTO(digest_auto) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* The NUL after domain and machine is the strings' own. */
    return ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(ctx, salt, SALT_BYTES) == 1 &&
           EVP_DigestUpdate(ctx, domain, strlen(domain) + 1) == 1 &&
           EVP_DigestUpdate(ctx, machine, strlen(machine) + 1) == 1 &&
           EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 &&
           EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
}

static bool compose(const uint8_t salt[static SALT_BYTES], const char *domain, const char *machine,
                    const char *secret, char ret[static LAUNCH_SESSION_LEN + 1])
{
    uint8_t sum[HASH_BYTES];
    if (!hash(salt, domain, machine, secret, sum))
        return false;
    memcpy(ret, "sha256$", 7);
    vmcp_hex_encode(salt, SALT_BYTES, ret + 7);
    ret[7 + 2 * SALT_BYTES] = '$';
    vmcp_hex_encode(sum, HASH_BYTES, ret + 8 + 2 * SALT_BYTES);
    return true;
}

int launch_session_make(const char *domain, const char *machine, const char *secret,
                        char ret[static LAUNCH_SESSION_LEN + 1], struct vmcp_error *err)
{
    uint8_t salt[SALT_BYTES];
    if (RAND_bytes(salt, sizeof(salt)) != 1 || !compose(salt, domain, machine, secret, ret))
        return vmcp_fail(err, VMCP_E_CRYPTO, "a session's hash cannot be made");
    return 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool launch_session_fits(const char *value, const char *domain, const char *machine,
                         const char *secret)
{
    uint8_t salt[SALT_BYTES];
    char expected[LAUNCH_SESSION_LEN + 1];
    if (strlen(value) != LAUNCH_SESSION_LEN || strncmp(value, "sha256$", 7) != 0)
        return false;
    for (size_t i = 0; i < SALT_BYTES; i++) {
        int high = nibble(value[7 + 2 * i]), low = nibble(value[8 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        salt[i] = (uint8_t)(high << 4 | low);
    }
    return compose(salt, domain, machine, secret, expected) &&
           CRYPTO_memcmp(expected, value, LAUNCH_SESSION_LEN) == 0;
}

int launch_session_check(const json_t *instance, const char *domain, const char *machine,
                         const char *secret, struct vmcp_error *err)
{
    const char *session = launch_metadata_item(instance, "vmcp-session");
    const char *its_domain = launch_metadata_item(instance, "vmcp-domain");
    const char *its_machine = launch_metadata_item(instance, "vmcp-machine");
    if (!session)
        return vmcp_fail(err, VMCP_E_SESSION,
                         "the name is taken by a VM that no vmcp-launch made; delete it, or use "
                         "--name-suffix");
    if (!its_domain || !its_machine || strcmp(its_domain, domain) != 0 ||
        strcmp(its_machine, machine) != 0)
        return vmcp_fail(err, VMCP_E_SESSION,
                         "the name is taken by a VM of another domain or machine; use "
                         "--name-suffix");
    if (!launch_session_fits(session, domain, machine, secret))
        return vmcp_fail(err, VMCP_E_SESSION,
                         "the name is taken by another session's VM: it was opened with another "
                         "secret");
    return 0;
}

/* A metadata value that one side has and the other has not differs too. */
static bool differs(const json_t *a, const json_t *b, const char *key)
{
    const char *x = launch_metadata_item(a, key), *y = launch_metadata_item(b, key);
    return x != y && (!x || !y || strcmp(x, y) != 0);
}

/* Is each scope of `a` one of `b` too? Their order means nothing. */
static bool holds_all(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < json_array_size(a); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(b); k++)
            found |= json_equal(json_array_get(a, i), json_array_get(b, k));
        if (!found)
            return false;
    }
    return true;
}

/* The API answers the address of the account that `default` stood for. */
static bool accounts_differ(const json_t *instance, const json_t *body)
{
    const json_t *there = json_object_get(instance, "serviceAccounts");
    const json_t *planned = json_object_get(body, "serviceAccounts");
    if (json_array_size(there) != json_array_size(planned))
        return true;
    for (size_t i = 0; i < json_array_size(planned); i++) {
        const json_t *x = json_array_get(there, i), *y = json_array_get(planned, i);
        const json_t *scopes = json_object_get(x, "scopes"), *wanted = json_object_get(y, "scopes");
        const char *email = json_string_value(json_object_get(y, "email"));
        bool any = email && strcmp(email, "default") == 0;
        if (!any && !json_equal(json_object_get(x, "email"), json_object_get(y, "email")))
            return true;
        if (!holds_all(scopes, wanted) || !holds_all(wanted, scopes))
            return true;
    }
    return false;
}

json_t *launch_session_drift(const json_t *instance, const json_t *body)
{
    static const struct {
        const char *key, *what;
    } watched[] = {
        {"startup-script", "startup script"},
        {"user-data", "user data"},
        {"vmcp-serial", "serial"},
    };
    json_t *drift = json_array();
    for (size_t i = 0; drift && i < sizeof(watched) / sizeof(*watched); i++)
        if (differs(instance, body, watched[i].key))
            json_array_append_new(drift, json_string(watched[i].what));
    if (drift && accounts_differ(instance, body))
        json_array_append_new(drift, json_string("service accounts"));
    return drift;
}
