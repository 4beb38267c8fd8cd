/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "limits.h"
#include "name.h"

struct trusted {
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
    struct vmcp_key *key; /* NULL: only the thumbprint is known so far */
    bool retired;
    bool resolved; /* the key came out of the endpoint's set */
};

struct vmcp_trust {
    char domain[VMCP_DOMAIN_MAX + 1];
    struct trusted items[VMCP_TRUST_KEYS_MAX];
    size_t count;
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
    if (!item) {
        if (trust->count == VMCP_TRUST_KEYS_MAX)
            return vmcp_fail(err, VMCP_E_TRUST, "more than %d trusted keys", VMCP_TRUST_KEYS_MAX);
        item = &trust->items[trust->count++];
        memcpy(item->thumbprint, thumbprint, VMCP_THUMBPRINT_LEN);
    }
    if (key && item->key && item->retired != retired)
        return vmcp_fail(err, VMCP_E_TRUST,
                         "the key %s is there twice, once as retired and once not", thumbprint);
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

int vmcp_trust_add_retired(struct vmcp_trust *trust, struct vmcp_key *key, struct vmcp_error *err)
{
    return add_item(trust, vmcp_key_thumbprint(key), key, true, err);
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

bool vmcp_trust_needs_keys(const struct vmcp_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++)
        if (!trust->items[i].key)
            return true;
    return false;
}

void vmcp_trust_resolve_key(struct vmcp_trust *trust, struct vmcp_key *key, bool retired)
{
    struct trusted *item = find_item(trust, vmcp_key_thumbprint(key));
    if (item && !item->key) {
        item->key = vmcp_key_ref(key);
        item->retired = retired;
        item->resolved = true;
    } else if (item && item->resolved && retired) {
        item->retired = true; /* told twice: the word that trusts less counts */
    }
}

enum { TOLD_MAX = 2 }; /* thumbprints that one message has room for */

/* The key that an answer names is none of ours: which are? */
static int refuse_unknown(const struct vmcp_trust *trust, const char *kid, const char *domain,
                          struct vmcp_error *err)
{
    char list[160] = "";
    size_t told = 0, more = 0, len = 0;
    for (size_t i = 0; i < trust->count; i++) {
        const struct trusted *t = &trust->items[i];
        if (t->retired)
            continue;
        if (told == TOLD_MAX) {
            more++;
            continue;
        }
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", told ? ", " : "",
                                t->thumbprint);
        told++;
    }
    if (more)
        snprintf(list + len, sizeof(list) - len, " and %zu more", more);
    return vmcp_fail(
        err, VMCP_E_KEY_UNTRUSTED,
        "the answer names the key %.43s, which is not among the trusted ones%s%.40s%s%s", kid,
        domain ? " of " : "", domain ? domain : "", told ? ": " : ", which are all retired", list);
}

/* What is wrong with the key that an answer names. */
static int refuse_kid(const struct trusted *item, struct vmcp_error *err)
{
    if (item->retired)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED,
                         "the answer is signed by the key %s, which is retired and signs no more",
                         item->thumbprint);
    return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED,
                     "the key %s is trusted, but only its thumbprint is known; it is not in the "
                     "endpoint's key set, or none was given",
                     item->thumbprint);
}

static bool is_good(const struct trusted *item)
{
    return item->key && !item->retired;
}

/* The only key that fits the algorithm. */
static int find_fitting(const struct vmcp_trust *trust, const struct vmcp_alg *alg,
                        const struct trusted **ret, struct vmcp_error *err)
{
    size_t fitting = 0;
    for (size_t i = 0; i < trust->count; i++)
        if (is_good(&trust->items[i]) && vmcp_alg_fits(alg, trust->items[i].key)) {
            *ret = &trust->items[i];
            fitting++;
        }
    if (fitting != 1)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED,
                         "the answer names no key, and %zu trusted keys fit its algorithm; it "
                         "would have to be exactly one",
                         fitting);
    return 0;
}

int vmcp_trust_find(const struct vmcp_trust *trust, const char *domain, const char *kid,
                    const struct vmcp_alg *alg, const struct vmcp_key **ret, struct vmcp_error *err)
{
    if (domain && strcmp(domain, trust->domain) != 0)
        return vmcp_fail(err, VMCP_E_KEY_UNTRUSTED, "the trusted keys are for %s, not for %s",
                         trust->domain, domain);
    const struct trusted *found = kid ? find_item(trust, kid) : NULL;
    if (kid && (!found || !is_good(found)))
        return found ? refuse_kid(found, err) : refuse_unknown(trust, kid, domain, err);
    int rc = kid ? 0 : find_fitting(trust, alg, &found, err);
    if (rc < 0)
        return rc;
    if (!vmcp_alg_fits(alg, found->key))
        return vmcp_fail(err, VMCP_E_KEY_MISMATCH, "algorithm %s does not fit a key of the type %s",
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
