/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of a trust file, and of the endpoint's key set: what of trust.h reads text. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "jwk.h"
#include "limits.h"
#include "trust.h"

/* One PEM block after the other. What stands between blocks is for people. */
static int add_pem(struct vmcp_trust *trust, const char *data, size_t len, size_t *found,
                   struct vmcp_error *err)
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
        ++*found;
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

static int add_jwk(struct vmcp_trust *trust, const json_t *jwk, size_t *found,
                   struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    bool retired = false;
    int rc = vmcp_jwk_import(jwk, &key, err);
    if (rc == 0)
        rc = jwk_is_retired(jwk, &retired, err);
    if (rc == 0)
        rc =
            retired ? vmcp_trust_add_retired(trust, key, err) : vmcp_trust_add_key(trust, key, err);
    if (rc == 0)
        *found += !retired;
    return rc;
}

/* RFC 7517, section 5: keys that one does not understand are to be ignored. What was never meant
 * for us (another type, for encryption) is refused by itself; what is broken, or gives a private
 * key away, spoils the set: its owner is to mend it. */
static int add_keys(struct vmcp_trust *trust, const json_t *keys, size_t *found,
                    struct vmcp_error *err)
{
    struct vmcp_error foreign = {0};
    size_t i;
    json_t *jwk;
    json_array_foreach(keys, i, jwk)
    {
        struct vmcp_error inner = {0};
        if (!json_is_object(jwk))
            return vmcp_fail(err, VMCP_E_TRUST, "key %zu of the JWK set is no JSON object", i + 1);
        int rc = add_jwk(trust, jwk, found, &inner);
        if (rc < 0 && inner.code != VMCP_E_KEY_UNSUPPORTED)
            return vmcp_fail(err, inner.code, "key %zu of the JWK set: %s", i + 1, inner.text);
        if (rc < 0)
            foreign = inner;
    }
    if (*found == 0 && json_array_size(keys) > 0)
        return vmcp_fail(err, VMCP_E_TRUST, "no key of the JWK set can be used: %s",
                         foreign.code ? foreign.text : "all are retired");
    return 0;
}

/* {"keys": [...]}; a single JWK is taken too. */
static int add_jwks(struct vmcp_trust *trust, const char *data, size_t len, size_t *found,
                    struct vmcp_error *err)
{
    json_auto_t *set = NULL;
    int rc = vmcp_json_parse_object(data, len, &set, err);
    if (rc < 0)
        return rc;
    json_t *keys = json_object_get(set, "keys");
    if (!keys && json_object_get(set, "kty"))
        return add_jwk(trust, set, found, err);
    if (!json_is_array(keys))
        return vmcp_fail(err, VMCP_E_TRUST, "JSON, but not a JWK set: it has no array \"keys\"");
    return add_keys(trust, keys, found, err);
}

static int add_lines(struct vmcp_trust *trust, const char *data, size_t len, size_t *found,
                     struct vmcp_error *err)
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
        ++*found;
    }
    return 0;
}

/* `*found` counts what is of use: keys that are not retired, thumbprints. */
static int add_any(struct vmcp_trust *trust, const char *data, size_t len, size_t *found,
                   struct vmcp_error *err)
{
    size_t i = 0;
    while (i < len && strchr(" \t\r\n", data[i]))
        i++;
    if (i < len && data[i] == '{')
        return add_jwks(trust, data, len, found, err);
    if (memmem(data, len, "-----BEGIN ", 11))
        return add_pem(trust, data, len, found, err);
    if (len > 0 &&
        data[0] == 0x30) { /* DER begins with a SEQUENCE; a thumbprint of 43 "0…" is text */
        auto_key struct vmcp_key *key = NULL;
        if (vmcp_key_parse_public(data, len, &key, NULL) == 0) {
            ++*found;
            return vmcp_trust_add_key(trust, key, err);
        }
    }
    return add_lines(trust, data, len, found, err);
}

int vmcp_trust_add(struct vmcp_trust *trust, const char *where, const char *data, size_t len,
                   struct vmcp_error *err)
{
    size_t found = 0;
    if (len > VMCP_TRUST_FILE_MAX)
        return vmcp_fail_at(err, VMCP_E_TRUST, where, "over %d bytes", VMCP_TRUST_FILE_MAX);
    int rc = add_any(trust, data, len, &found, err);
    if (rc < 0) {
        struct vmcp_error inner = err ? *err : (struct vmcp_error){0};
        return vmcp_fail_at(err, VMCP_E_TRUST, where, "%s%s%s", inner.where,
                            inner.where[0] ? ": " : "", inner.text);
    }
    if (found == 0)
        return vmcp_fail_at(
            err, VMCP_E_TRUST, where,
            "no key in it that can be used; PEM public keys, a JWK set or lines of thumbprints are "
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

/* A name that is longer than any file's can be is not there. */
static bool is_there(const char *path)
{
    struct stat st; /* of a link, not of what it leads to: a dead one is not "not there" */
    return strlen(strrchr(path, '/') + 1) <= NAME_MAX &&
           (lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

int vmcp_trust_add_dir(struct vmcp_trust *trust, const char *dir, char **ret_path,
                       struct vmcp_error *err)
{
    static const char *const endings[] = {"pem", "jwks", "thumbprints"};
    *ret_path = NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        auto_free char *path = NULL;
        if (asprintf(&path, "%s/%s.%s", dir, vmcp_trust_domain(trust), endings[i]) < 0) {
            path = NULL;
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
        }
        if (!is_there(path))
            continue;
        int rc = vmcp_trust_add_file(trust, path, err);
        if (rc == 0)
            *ret_path = steal(&path);
        return rc;
    }
    return 0;
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
        vmcp_trust_resolve_key(trust, key, retired);
    }
    return 0;
}
