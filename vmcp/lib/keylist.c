/* SPDX-License-Identifier: Apache-2.0 */
#include "keylist.h"

#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "base64.h"
#include "buf.h"
#include "name.h"
#include "sign.h"

void vmcp_keylist_clear(struct vmcp_keylist *list)
{
    for (size_t i = 0; i < list->count; i++)
        vmcp_key_unref(list->entries[i].key);
    free(list->entries);
    *list = (struct vmcp_keylist){0};
}

static int check_entry(const struct vmcp_keylist *list, const char *domain,
                       const struct vmcp_key *key, struct vmcp_error *err)
{
    int rc = vmcp_domain_check(domain, strlen(domain), err);
    if (rc < 0)
        return rc;
    if (vmcp_key_type(key) != VMCP_KEY_RSA)
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                         "%s has a key of the type %s; version 1 clients know RSA only", domain,
                         vmcp_key_type_name(key));
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->entries[i].domain, domain) == 0)
            return vmcp_fail(err, VMCP_E_USAGE, "the domain %s is there twice", domain);
    return 0;
}

int vmcp_keylist_add(struct vmcp_keylist *list, const char *domain, struct vmcp_key *key,
                     struct vmcp_error *err)
{
    int rc = check_entry(list, domain, key, err);
    if (rc < 0)
        return rc;
    if (list->count == VMCP_KEYLIST_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "more than %d domains", VMCP_KEYLIST_MAX);
    struct vmcp_keylist_entry *entries =
        realloc(list->entries, (list->count + 1) * sizeof(*entries));
    if (!entries)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key list");
    list->entries = entries;
    struct vmcp_keylist_entry *entry = &entries[list->count++];
    memcpy(entry->domain, domain, strlen(domain) + 1);
    entry->key = vmcp_key_ref(key);
    return 0;
}

/* The root key signs lists and nothing else, so it is nobody's domain key. */
static int check_root(const struct vmcp_keylist *list, const struct vmcp_key *root,
                      struct vmcp_error *err)
{
    if (vmcp_key_type(root) != VMCP_KEY_RSA)
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED,
                         "the root key is of the type %s; RSA is wanted", vmcp_key_type_name(root));
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(vmcp_key_thumbprint(list->entries[i].key), vmcp_key_thumbprint(root)) == 0)
            return vmcp_fail(err, VMCP_E_TRUST,
                             "the root key is listed as the key of %s; it must sign lists only, "
                             "for a version 1 answer that it signed could pass for a list",
                             list->entries[i].domain);
    return 0;
}

static int add_line(const struct vmcp_keylist_entry *entry, struct vmcp_buf *out,
                    struct vmcp_error *err)
{
    auto_free unsigned char *der = NULL;
    size_t len = 0;
    int rc = vmcp_key_public_der(entry->key, &der, &len, err);
    if (rc < 0)
        return rc;
    auto_free char *text = malloc(VMCP_BASE64_CHARS(len) + 1);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key list");
    vmcp_base64_encode(VMCP_BASE64_PADDED, der, len, text);
    vmcp_buf_addf(out, "%s=%s\n", entry->domain, text);
    return 0;
}

int vmcp_keylist_sign(const struct vmcp_keylist *list, const struct vmcp_key *root, char **ret_text,
                      uint8_t ret_sig[static VMCP_SIGNATURE_MAX], size_t *ret_sig_len,
                      struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(VMCP_KEYLIST_BYTES_MAX);
    int rc = check_root(list, root, err);
    for (size_t i = 0; rc == 0 && i < list->count; i++)
        rc = add_line(&list->entries[i], &text, err);
    if (rc == 0)
        rc = vmcp_buf_check(&text, "a key list", err);
    if (rc == 0 && list->count == 0)
        rc = vmcp_fail(err, VMCP_E_USAGE, "a key list without a domain");
    if (rc == 0)
        rc =
            vmcp_sign(root, vmcp_alg_find("RS512"), text.data, text.len, ret_sig, ret_sig_len, err);
    if (rc == 0)
        *ret_text = vmcp_buf_steal(&text, NULL);
    return rc;
}

/* One line, without its newline: DOMAIN=BASE64. */
static int read_line(const char *line, size_t len, struct vmcp_keylist *list,
                     struct vmcp_error *err)
{
    char domain[VMCP_DOMAIN_MAX + 1] = "";
    uint8_t der[VMCP_BASE64_BYTES(4096)];
    size_t der_len = 0;
    auto_key struct vmcp_key *key = NULL;
    auto_free unsigned char *again = NULL;
    const char *equals = memchr(line, '=', len);
    size_t domain_len = equals ? (size_t)(equals - line) : len;
    size_t chars = len - domain_len - (equals ? 1 : 0);
    if (!equals || domain_len > VMCP_DOMAIN_MAX || chars > 4096)
        return vmcp_fail(err, VMCP_E_TRUST, "a line of a key list is DOMAIN=BASE64");
    int rc = vmcp_domain_check(line, domain_len, err); /* by its length: a NUL is no end of it */
    if (rc < 0)
        return rc;
    memcpy(domain, line, domain_len);
    rc = vmcp_base64_decode(VMCP_BASE64_PADDED, equals + 1, chars, der, &der_len, err);
    if (rc == 0)
        rc = vmcp_key_parse_public((char *)der, der_len, &key, err);
    if (rc == 0) /* one whole SubjectPublicKeyInfo: what is encoded again must be the same bytes */
        rc = vmcp_key_public_der(key, &again, &chars, err);
    if (rc == 0 && (chars != der_len || memcmp(again, der, der_len) != 0))
        rc = vmcp_fail(err, VMCP_E_TRUST, "not the base64 of one SubjectPublicKeyInfo");
    return rc < 0 ? rc : vmcp_keylist_add(list, domain, key, err);
}

int vmcp_keylist_read(const char *text, size_t len, const uint8_t *sig, size_t sig_len,
                      const struct vmcp_key *root, struct vmcp_keylist *ret, struct vmcp_error *err)
{
    auto_keylist struct vmcp_keylist list = {0};
    int rc = vmcp_sign_check(root, vmcp_alg_find("RS512"), text, len, sig, sig_len, err);
    if (rc < 0)
        return rc;
    const char *end = text + len;
    for (size_t number = 1; text < end; number++) {
        struct vmcp_error inner = {0};
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = newline ? (size_t)(newline - text) : (size_t)(end - text);
        char where[32];
        snprintf(where, sizeof(where), "line %zu", number);
        if (read_line(text, n, &list, &inner) < 0)
            return vmcp_fail_at(err, VMCP_E_TRUST, where, "%s", inner.text);
        text += n + 1;
    }
    rc = check_root(&list, root, err);
    if (rc < 0)
        return rc;
    *ret = list;
    list = (struct vmcp_keylist){0};
    return 0;
}
