/* SPDX-License-Identifier: Apache-2.0 */
/* Trust files: PEM, a JWK set, thumbprints. The same bytes stand as a JWK set that resolves
 * thumbprints. */
#include "fuzz.h"

#include "lib/trust.h"

static void is_usable(struct vmcp_trust *trust)
{
    struct vmcp_error err = {0};
    auto_free char *pem = NULL;
    size_t count = vmcp_trust_count(trust);
    fuzz_check(count > 0 && count <= VMCP_TRUST_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct vmcp_key *key = vmcp_trust_key(trust, i), *found = NULL;
        if (!key)
            continue;
        fuzz_check(!vmcp_key_is_private(key));
        fuzz_check(vmcp_trust_find(trust, "cfg.example.org", vmcp_key_thumbprint(key),
                                   vmcp_alg_default(key), &found, &err) == 0);
        fuzz_check(vmcp_trust_find(trust, "other.example.org", vmcp_key_thumbprint(key),
                                   vmcp_alg_default(key), &found, &err) < 0);
    }
    if (!vmcp_trust_needs_keys(trust))
        (void)fuzz_told(vmcp_trust_pem(trust, &pem, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    auto_trust struct vmcp_trust *trust = NULL, *by_thumbprint = NULL;
    auto_free char *text = malloc(size ? size : 1);
    memcpy(text, size ? data : (const uint8_t *)"", size);
    fuzz_check(vmcp_trust_new("cfg.example.org", &trust, &err) == 0);
    fuzz_check(vmcp_trust_new("cfg.example.org", &by_thumbprint, &err) == 0);
    if (fuzz_told(vmcp_trust_add(trust, "fuzz", text, size, &err), &err) == 0)
        is_usable(trust);
    /* The key of RFC 8037, appendix A.3, and its thumbprint. */
    fuzz_check(vmcp_trust_add_thumbprint(by_thumbprint,
                                         "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", &err) == 0);
    (void)fuzz_told(vmcp_trust_resolve(by_thumbprint, text, size, &err), &err);
    fuzz_check(vmcp_trust_count(by_thumbprint) == 1);
    return 0;
}
