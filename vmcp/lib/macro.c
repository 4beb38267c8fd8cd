/* SPDX-License-Identifier: Apache-2.0 */
#include "macro.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "base64.h"
#include "file.h"

enum { LABEL_MAX = 64 };

static const char opening[] = "${vmcp.";
static const char escaped[] = "$${vmcp.";

/* One macro, at the `$` of its opening. */
struct macro {
    enum vmcp_macro kind;
    char label[LABEL_MAX + 1]; /* of hmac */
    size_t len;                /* from the `$` to behind the `}` */
};

static const struct {
    const char *name;
    enum vmcp_macro kind;
} names[] = {
    {"hostid", VMCP_MACRO_HOSTID}, {"salt", VMCP_MACRO_SALT},  {"uuid", VMCP_MACRO_UUID},
    {"now", VMCP_MACRO_NOW},       {"hmac.", VMCP_MACRO_HMAC},
};

static bool label_is_good(const char *s, size_t len)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return len >= 1 && len <= LABEL_MAX && strspn(s, chars) >= len;
}

static int read_macro(const char *s, struct macro *ret, struct vmcp_error *err)
{
    const char *body = s + strlen(opening);
    size_t len = strcspn(body, "}");
    for (size_t i = 0; body[len] == '}' && i < sizeof(names) / sizeof(*names); i++) {
        size_t n = strlen(names[i].name);
        bool is_hmac = names[i].kind == VMCP_MACRO_HMAC;
        if (strncmp(body, names[i].name, n) != 0 || (is_hmac ? len <= n : len != n))
            continue;
        if (is_hmac && !label_is_good(body + n, len - n))
            break;
        *ret = (struct macro){.kind = names[i].kind, .len = strlen(opening) + len + 1};
        if (is_hmac)
            memcpy(ret->label, body + n, len - n);
        return 0;
    }
    return vmcp_fail(err, VMCP_E_MACRO,
                     "%.*s is no macro; there are hostid, salt, uuid, now and hmac.LABEL, and "
                     "$${vmcp. stands for a literal ${vmcp.",
                     (int)(len < 32 ? len : 32) + (int)strlen(opening) + 1, s);
}

int vmcp_macro_read_secret(const char *path, struct vmcp_buf *out, struct vmcp_error *err)
{
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, out, err);
    if (rc == 0 && out->len < VMCP_SECRET_MIN)
        return vmcp_fail_at(err, VMCP_E_FILE, path,
                            "a secret of %zu bytes; at least %d random ones are wanted, as from: "
                            "openssl rand -out %s 32",
                            out->len, VMCP_SECRET_MIN, path);
    return rc;
}

int vmcp_macro_scan(const char *s, unsigned allowed, unsigned *used, struct vmcp_error *err)
{
    while ((s = strchr(s, '$')) != NULL) {
        if (strncmp(s, escaped, strlen(escaped)) == 0) {
            s += strlen(escaped);
        } else if (strncmp(s, opening, strlen(opening)) == 0) {
            struct macro m;
            int rc = read_macro(s, &m, err);
            if (rc < 0)
                return rc;
            if (!(m.kind & allowed))
                return vmcp_fail(err, VMCP_E_MACRO,
                                 "%.*s would make each answer another machine; only hostid and "
                                 "hmac may stand here",
                                 (int)m.len, s);
            *used |= m.kind;
            s += m.len;
        } else {
            s++;
        }
    }
    return 0;
}

/* lower-case hex of HMAC-SHA-256 of the five parts, NUL between them. */
static int add_hmac(const struct vmcp_macro_values *v, const char *label, struct vmcp_buf *out,
                    struct vmcp_error *err)
{
    if (!v->secret)
        return vmcp_fail(err, VMCP_E_MACRO, "${vmcp.hmac.%s} needs the server's --secret FILE",
                         label);
    const char *parts[] = {"vmcp-hmac-v1", v->domain, v->machine, label, v->hostid};
    auto_buf struct vmcp_buf text = VMCP_BUF(4096);
    for (size_t i = 0; i < 5; i++) {
        if (i)
            vmcp_buf_addc(&text, '\0');
        vmcp_buf_adds(&text, parts[i]);
    }
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (text.failed || !HMAC(EVP_sha256(), v->secret, (int)v->secret_len,
                             (const unsigned char *)text.data, text.len, mac, &len))
        return vmcp_fail(err, VMCP_E_CRYPTO, "HMAC-SHA-256 failed");
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    vmcp_hex_encode(mac, len, hex);
    vmcp_buf_adds(out, hex);
    return 0;
}

static int add_value(const struct macro *m, const struct vmcp_macro_values *v, struct vmcp_buf *out,
                     struct vmcp_error *err)
{
    if ((m->kind & (VMCP_MACRO_HOSTID | VMCP_MACRO_HMAC)) && !v->hostid)
        return vmcp_fail(err, VMCP_E_HOSTID_REQUIRED,
                         "this machine depends on who asks: the question needs cvm_hostid");
    time_t now = (time_t)v->now;
    struct tm utc;
    char text[32];
    switch (m->kind) {
    case VMCP_MACRO_HOSTID:
        vmcp_buf_adds(out, v->hostid);
        break;
    case VMCP_MACRO_SALT:
        vmcp_buf_adds(out, v->salt);
        break;
    case VMCP_MACRO_UUID:
        vmcp_buf_adds(out, v->uuid);
        break;
    case VMCP_MACRO_NOW:
        gmtime_r(&now, &utc);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
        vmcp_buf_adds(out, text);
        break;
    case VMCP_MACRO_HMAC:
        return add_hmac(v, m->label, out, err);
    }
    return 0;
}

int vmcp_macro_expand(const char *s, const struct vmcp_macro_values *values, struct vmcp_buf *out,
                      struct vmcp_error *err)
{
    while (*s) {
        size_t plain = strcspn(s, "$");
        vmcp_buf_add(out, s, plain);
        s += plain;
        if (strncmp(s, escaped, strlen(escaped)) == 0) {
            vmcp_buf_adds(out, opening);
            s += strlen(escaped);
        } else if (strncmp(s, opening, strlen(opening)) == 0) {
            struct macro m;
            int rc = read_macro(s, &m, err);
            if (rc == 0)
                rc = add_value(&m, values, out, err);
            if (rc < 0)
                return rc;
            s += m.len;
        } else if (*s) {
            vmcp_buf_addc(out, *s++);
        }
    }
    return vmcp_buf_check(out, "a value with its macros replaced", err);
}

static int expand_string(const json_t *value, const struct vmcp_macro_values *values, json_t **ret,
                         struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_USER_DATA_MAX);
    int rc = vmcp_macro_expand(json_string_value(value), values, &b, err);
    if (rc < 0)
        return rc;
    *ret = json_stringn(b.data ? b.data : "", b.len);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a value");
}

/* Objects and arrays are copied member by member; depth was bounded when they were read. */
static int expand_container(const json_t *value, const struct vmcp_macro_values *values,
                            json_t **ret, struct vmcp_error *err)
{
    json_auto_t *copy = json_is_object(value) ? json_object() : json_array();
    const char *key;
    size_t i;
    json_t *member, *made = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        int rc = vmcp_macro_expand_json(member, values, &made, err);
        if (rc < 0)
            return rc;
        if (json_object_set_new(copy, key, made) < 0)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a value");
    }
    json_array_foreach(value, i, member)
    {
        int rc = vmcp_macro_expand_json(member, values, &made, err);
        if (rc < 0)
            return rc;
        if (json_array_append_new(copy, made) < 0)
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a value");
    }
    *ret = steal(&copy);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a value");
}

int vmcp_macro_expand_json(const json_t *value, const struct vmcp_macro_values *values,
                           json_t **ret, struct vmcp_error *err)
{
    if (json_is_string(value))
        return expand_string(value, values, ret, err);
    if (json_is_object(value) || json_is_array(value))
        return expand_container(value, values, ret, err);
    *ret = json_copy((json_t *)(uintptr_t)value);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a value");
}
