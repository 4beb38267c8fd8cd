/* SPDX-License-Identifier: Apache-2.0 */
/* trust.h - what the tests of trust sets share: sources made of the keys of unit_key(). */
#ifndef UNIT_TRUST_H
#define UNIT_TRUST_H

#include "unit.h"

#include "lib/json.h"
#include "lib/jwk.h"
#include "lib/trust.h"

#define DOMAIN "cfg.example.org"

static inline struct vmcp_trust *new_trust(void)
{
    struct vmcp_error err;
    struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new(DOMAIN, &trust, &err), err);
    return trust;
}

static inline char *pem_of(const char *kind)
{
    struct vmcp_error err;
    char *pem = NULL;
    assert_good(kind, vmcp_key_public_pem(unit_key(kind), &pem, &err), err);
    return pem;
}

static inline json_t *jwk_of(const char *kind, const char *status)
{
    struct vmcp_error err;
    json_t *jwk = NULL;
    assert_good(kind, vmcp_jwk_export(unit_key(kind), &jwk, &err), err);
    if (status)
        json_object_set_new(jwk, "status", json_string(status));
    return jwk;
}

static inline int add(struct vmcp_trust *trust, const char *text, struct vmcp_error *err)
{
    return vmcp_trust_add(trust, "source", text, strlen(text), err);
}

static inline int add_json(struct vmcp_trust *trust, json_t *value, struct vmcp_error *err)
{
    auto_free char *text = vmcp_json_text(value, NULL);
    json_decref(value);
    return add(trust, text, err);
}

/* The code of looking `kind`'s key up by its thumbprint. */
static inline int find(const struct vmcp_trust *trust, const char *kind, struct vmcp_error *err)
{
    const struct vmcp_key *key = NULL;
    const char *thumbprint = vmcp_key_thumbprint(unit_key(kind));
    int rc =
        vmcp_trust_find(trust, DOMAIN, thumbprint, vmcp_alg_default(unit_key(kind)), &key, err);
    if (rc == 0)
        assert_string_equal(vmcp_key_thumbprint(key), thumbprint);
    return rc;
}

#endif
