/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "jwk.h"
#include "limits.h"
#include "name.h"

struct trusted {
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
    struct vmcp_key *key; /* NULL: only the thumbprint is known so far */
    bool retired;
};

struct vmcp_trust {
    char domain[VMCP_DOMAIN_MAX + 1];
    struct trusted items[VMCP_TRUST_KEYS_MAX];
    size_t count;
    size_t offered; /* how often a key or thumbprint was added, those that were there included */
};

int vmcp_trust_new(const char *domain, struct vmcp_trust **ret, struct vmcp_error *err)
{
    int rc = vmcp_domain_check(domain, strlen(domain), err);
    if (rc < 0)
        return rc;
    struct vmcp_trust *trust = calloc(1, sizeof(*trust));
    if (!trust)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for trusted keys");
    memcpy(trust->domain, domain, strlen(domain));
    *ret = trust;
    return 0;
}

void vmcp_trust_free(struct vmcp_trust *trust)
{
    for (size_t i = 0; trust && i < trust->count; i++)
        vmcp_key_unref(trust->items[i].key);
    free(trust);
}

static struct trusted *find_item(const struct vmcp_trust *trust, const char *thumbprint)
{
    for (size_t i = 0; i < trust->count; i++)
        if (strcmp(trust->items[i].thumbprint, thumbprint) == 0)
            return (struct trusted *)(uintptr_t)&trust->items[i];
    return NULL;
}

static int add_item(struct vmcp_trust *trust, const char *thumbprint, struct vmcp_key *key,
                    bool retired, struct vmcp_error *err)
{
    struct trusted *item = find_item(trust, thumbprint);
    trust->offered++;
    if (!item) {
        if (trust->count == VMCP_TRUST_KEYS_MAX)
            return vmcp_fail(err, VMCP_E_TRUST, "more than %d trusted keys", VMCP_TRUST_KEYS_MAX);
        item = &trust->items[trust->count++];
        memcpy(item->thumbprint, thumbprint, VMCP_THUMBPRINT_LEN);
    }
    if (key && !item->key) {
        item->key = vmcp_key_ref(key);
        item->retired = retired;
    }
    return 0;
}

int vmcp_trust_add_key(struct vmcp_trust *trust, struct vmcp_key *key, struct vmcp_error *err)
{
    return add_item(trust, vmcp_key_thumbprint(key), key, false, err);
}

int vmcp_trust_add_thumbprint(struct vmcp_trust *trust, const char *thumbprint,
                              struct vmcp_error *err)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(thumbprint);
    if (len != VMCP_THUMBPRINT_LEN || strspn(thumbprint, alphabet) != len)
        return vmcp_fail(err, VMCP_E_TRUST,
                         "not a thumbprint: 43 characters of base64url are wanted, as `vmcp "
                         "thumbprint` prints them");
    return add_item(trust, thumbprint, NULL, false, err);
}

/* One PEM block after the other. What stands between blocks is for people. */
static int add_pem(struct vmcp_trust *trust, const char *data, size_t len, struct vmcp_error *err)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ";
    const char *stop = data + len;
    for (const char *at = data;;) {
        const char *from = memmem(at, (size_t)(stop - at), begin, strlen(begin));
        if (!from)
            return 0;
        const char *to = memmem(from, (size_t)(stop - from), end, strlen(end));
        const char *line = to ? memchr(to, '\n', (size_t)(stop - to)) : NULL;
        if (!to)
            return vmcp_fail(err, VMCP_E_TRUST, "a PEM block without its END line");
        at = line ? line + 1 : stop;
        auto_key struct vmcp_key *key = NULL;
        int rc = vmcp_key_parse_public(from, (size_t)(at - from), &key, err);
        if (rc == 0)
            rc = vmcp_trust_add_key(trust, key, err);
        if (rc < 0)
            return rc;
    }
}

static int jwk_is_retired(const json_t *jwk, bool *ret, struct vmcp_error *err)
{
    const json_t *status = json_object_get(jwk, "status");
    const char *s = json_string_value(status);
    if (status &&
        (!s || (strcmp(s, "active") != 0 && strcmp(s, "next") != 0 && strcmp(s, "retired") != 0)))
        return vmcp_fail(err, VMCP_E_TRUST,
                         "a JWK whose `status` is none of active, next, retired");
    *ret = s && strcmp(s, "retired") == 0;
    return 0;
}

static int add_jwk(struct vmcp_trust *trust, const json_t *jwk, struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    bool retired = false;
    int rc = vmcp_jwk_import(jwk, &key, err);
    if (rc == 0)
        rc = jwk_is_retired(jwk, &retired, err);
    if (rc == 0)
        rc = add_item(trust, vmcp_key_thumbprint(key), key, retired, err);
    return rc;
}

/* RFC 7517, section 5: {"keys": [...]}; a single JWK is taken too. */
static int add_jwks(struct vmcp_trust *trust, const char *data, size_t len, struct vmcp_error *err)
{
    json_auto_t *set = NULL;
    int rc = vmcp_json_parse_object(data, len, &set, err);
    if (rc < 0)
        return rc;
    json_t *keys = json_object_get(set, "keys");
    if (!keys && json_object_get(set, "kty"))
        return add_jwk(trust, set, err);
    if (!json_is_array(keys))
        return vmcp_fail(err, VMCP_E_TRUST, "JSON, but not a JWK set: it has no array \"keys\"");
    size_t i;
    json_t *jwk;
    json_array_foreach(keys, i, jwk)
    {
        rc = add_jwk(trust, jwk, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_lines(struct vmcp_trust *trust, const char *data, size_t len, struct vmcp_error *err)
{
    if (memchr(data, '\0', len))
        return vmcp_fail(err, VMCP_E_TRUST, "neither text nor a key");
    auto_free char *text = strndup(data, len);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for trusted keys");
    size_t number = 1;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL; number++) {
        line += strspn(line, " \t\r");
        line[strcspn(line, "#\r")] = '\0'; /* a comment */
        for (size_t n = strlen(line); n > 0 && strchr(" \t", line[n - 1]); n--)
            line[n - 1] = '\0';
        if (!*line)
            continue;
        int rc = vmcp_trust_add_thumbprint(trust, line, err);
        if (rc < 0) {
            struct vmcp_error inner = err ? *err : (struct vmcp_error){0};
            return vmcp_fail(err, VMCP_E_TRUST, "line %zu: %s", number, inner.text);
        }
    }
    return 0;
}

static int add_any(struct vmcp_trust *trust, const char *data, size_t len, struct vmcp_error *err)
{
    size_t i = 0;
    while (i < len && strchr(" \t\r\n", data[i]))
        i++;
    if (i < len && data[i] == '{')
        return add_jwks(trust, data, len, err);
    if (memmem(data, len, "-----BEGIN ", 11))
        return add_pem(trust, data, len, err);
    if (len > 0 &&
        data[0] == 0x30) { /* DER begins with a SEQUENCE; a thumbprint of 43 "0…" is text */
        auto_key struct vmcp_key *key = NULL;
        if (vmcp_key_parse_public(data, len, &key, NULL) == 0)
            return vmcp_trust_add_key(trust, key, err);
    }
    return add_lines(trust, data, len, err);
}

int vmcp_trust_add(struct vmcp_trust *trust, const char *where, const char *data, size_t len,
                   struct vmcp_error *err)
{
    size_t before = trust->offered;
    if (len > VMCP_TRUST_FILE_MAX)
        return vmcp_fail_at(err, VMCP_E_TRUST, where, "over %d bytes", VMCP_TRUST_FILE_MAX);
    int rc = add_any(trust, data, len, err);
    if (rc < 0) {
        struct vmcp_error inner = err ? *err : (struct vmcp_error){0};
        return vmcp_fail_at(err, VMCP_E_TRUST, where, "%s%s%s", inner.where,
                            inner.where[0] ? ": " : "", inner.text);
    }
    if (trust->offered == before)
        return vmcp_fail_at(err, VMCP_E_TRUST, where,
                            "no key in it; PEM public keys, a JWK set or lines of thumbprints are "
                            "wanted");
    return 0;
}

int vmcp_trust_add_file(struct vmcp_trust *trust, const char *path, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_TRUST_FILE_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_TRUST, path, "%s", err ? err->text : "");
    return vmcp_trust_add(trust, path, b.data ? b.data : "", b.len, err);
}

int vmcp_trust_add_dir(struct vmcp_trust *trust, const char *dir, char **ret_path,
                       struct vmcp_error *err)
{
    static const char *const endings[] = {"pem", "jwks", "thumbprints"};
    *ret_path = NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        auto_free char *path = NULL;
        if (asprintf(&path, "%s/%s.%s", dir, trust->domain, endings[i]) < 0) {
            path = NULL;
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
        }
        struct stat st; /* of a link, not of what it leads to: a dead one is not "not there" */
        if (lstat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        int rc = vmcp_trust_add_file(trust, path, err);
        if (rc == 0)
            *ret_path = steal(&path);
        return rc;
    }
    return 0;
}

bool vmcp_trust_needs_keys(const struct vmcp_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++)
        if (!trust->items[i].key)
            return true;
    return false;
}

int vmcp_trust_resolve(struct vmcp_trust *trust, const char *jwks, size_t len,
                       struct vmcp_error *err)
{
    json_auto_t *set = NULL;
    int rc = vmcp_json_parse_object(jwks, len, &set, err);
    if (rc < 0)
        return rc;
    size_t i;
    json_t *jwk;
    json_array_foreach(json_object_get(set, "keys"), i, jwk)
    {
        auto_key struct vmcp_key *key = NULL;
        bool retired = false;
        if (vmcp_jwk_import(jwk, &key, NULL) < 0 || jwk_is_retired(jwk, &retired, NULL) < 0)
            continue; /* a key that is of no use here is nobody's fault */
        struct trusted *item = find_item(trust, vmcp_key_thumbprint(key));
        if (item && !item->key) {
            item->key = vmcp_key_ref(key);
            item->retired = retired;
        }
    }
    return 0;
}

int vmcp_trust_find(const struct vmcp_trust *trust, const char *domain, const char *kid,
                    const struct vmcp_alg *alg, const struct vmcp_key **ret, struct vmcp_error *err)
{
    if (domain && strcmp(domain, trust->domain) != 0)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED, "the trusted keys are for %s, not for %s",
                         trust->domain, domain);
    const struct trusted *found = NULL;
    size_t fitting = 0;
    for (size_t i = 0; i < trust->count; i++) {
        const struct trusted *item = &trust->items[i];
        if (!item->key || item->retired)
            continue;
        if (kid ? strcmp(kid, item->thumbprint) == 0 : vmcp_alg_fits(alg, item->key)) {
            found = item;
            fitting++;
        }
    }
    if (!found && kid)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED,
                         "the answer is signed by a key that is not among the trusted ones%s%s",
                         domain ? " of " : "", domain ? domain : "");
    if (fitting != 1)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED,
                         "the answer names no key, and %zu trusted keys fit its algorithm",
                         fitting);
    if (!vmcp_alg_fits(alg, found->key))
        return vmcp_fail(err, VMCP_E_KEY_MISMATCH, "algorithm %s does not fit a %s key",
                         vmcp_alg_name(alg), vmcp_key_type_name(found->key));
    *ret = found->key;
    return 0;
}

size_t vmcp_trust_count(const struct vmcp_trust *trust)
{
    return trust->count;
}

const struct vmcp_key *vmcp_trust_key(const struct vmcp_trust *trust, size_t i)
{
    return trust->items[i].retired ? NULL : trust->items[i].key;
}

int vmcp_trust_pem(const struct vmcp_trust *trust, char **ret, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_TRUST_FILE_MAX);
    for (size_t i = 0; i < trust->count; i++) {
        const struct vmcp_key *key = vmcp_trust_key(trust, i);
        if (!key)
            continue;
        auto_free char *pem = NULL;
        int rc = vmcp_key_public_pem(key, &pem, err);
        if (rc < 0)
            return rc;
        vmcp_buf_adds(&b, pem);
    }
    int rc = vmcp_buf_check(&b, "trusted keys", err);
    if (rc == 0 && b.len == 0)
        return vmcp_fail(err, VMCP_E_TRUST, "there is no trusted key, only thumbprints");
    if (rc == 0)
        *ret = vmcp_buf_steal(&b, NULL);
    return rc;
}

const char *vmcp_trust_domain(const struct vmcp_trust *trust)
{
    return trust->domain;
}
