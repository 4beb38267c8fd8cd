/* SPDX-License-Identifier: Apache-2.0 */
/* trust.h - which keys are good for which domain.
 *
 * A trust set belongs to one domain. It is filled from one source: PEM public keys, a JWK set
 * (RFC 7517), or lines of RFC 7638 thumbprints. Thumbprints name keys that the set does not hold
 * yet: vmcp_trust_resolve() takes them out of the endpoint's JWK set. A verifier asks the set, it
 * does not compare thumbprints by itself.
 */
#ifndef VMCP_TRUST_H
#define VMCP_TRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "error.h"
#include "key.h"
#include "sign.h"

#define VMCP_TRUST_DIR "/etc/vmcp/trust.d"

struct vmcp_trust;

/* An empty set for `domain` (borrowed, copied; must be vmcp_domain_check()ed). */
VMCP_MUST_CHECK int vmcp_trust_new(const char *domain, struct vmcp_trust **ret,
                                   struct vmcp_error *err);
void vmcp_trust_free(struct vmcp_trust *trust);

/* Add what a trust file says; its form is told by its content. A private key in it is an error, and
 * so is a source without a key that can be used, one with retired keys only, and a key that is
 * retired and not: VMCP_E_TRUST. Keys of a JWK set that are not meant for us (another type, another
 * `use`) are passed over. `where` names the source in messages. */
VMCP_MUST_CHECK int vmcp_trust_add(struct vmcp_trust *trust, const char *where, const char *data,
                                   size_t len, struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_trust_add_file(struct vmcp_trust *trust, const char *path,
                                        struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_trust_add_thumbprint(struct vmcp_trust *trust, const char *thumbprint,
                                              struct vmcp_error *err);
/* A key (a reference is taken): one that is good, or one of which it is known that it is retired.
 */
VMCP_MUST_CHECK int vmcp_trust_add_key(struct vmcp_trust *trust, struct vmcp_key *key,
                                       struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_trust_add_retired(struct vmcp_trust *trust, struct vmcp_key *key,
                                           struct vmcp_error *err);

/* Add DIR/DOMAIN.pem, .jwks or .thumbprints, the first that is there. *ret_path is the file's name
 * (new, free()), or NULL where there is none, which is not an error. */
VMCP_MUST_CHECK int vmcp_trust_add_dir(struct vmcp_trust *trust, const char *dir, char **ret_path,
                                       struct vmcp_error *err);

/* True while a trusted thumbprint has no key: fetch the endpoint's /.well-known/jwks.json. */
bool vmcp_trust_needs_keys(const struct vmcp_trust *trust);

/* Take the trusted keys out of a JWK set; the others in it count for nothing. A key that is there
 * as retired is retired. */
VMCP_MUST_CHECK int vmcp_trust_resolve(struct vmcp_trust *trust, const char *jwks, size_t len,
                                       struct vmcp_error *err);
void vmcp_trust_resolve_key(struct vmcp_trust *trust, struct vmcp_key *key, bool retired);

/* The key that is good for `domain` now: the one of that `kid`; without one (NULL), the only key
 * that fits `alg`. Keys with `status` "retired" are not good. *ret is borrowed from the set.
 * Errors: VMCP_E_KEY_UNTRUSTED, VMCP_E_KEY_MISMATCH. */
VMCP_MUST_CHECK int vmcp_trust_find(const struct vmcp_trust *trust, const char *domain,
                                    const char *kid, const struct vmcp_alg *alg,
                                    const struct vmcp_key **ret, struct vmcp_error *err);

/* The keys of the set, for those that try each (version 1 has no `kid`). A key is NULL where only
 * its thumbprint is known, or where it is retired. */
size_t vmcp_trust_count(const struct vmcp_trust *trust);
const struct vmcp_key *vmcp_trust_key(const struct vmcp_trust *trust, size_t i);
/* PEM of all keys, one after the other: what travels in the metadata attribute `vmcp-trust`. */
VMCP_MUST_CHECK int vmcp_trust_pem(const struct vmcp_trust *trust, char **ret,
                                   struct vmcp_error *err);

const char *vmcp_trust_domain(const struct vmcp_trust *trust);

#define auto_trust VMCP_AUTO(vmcp_trust_auto_)
VMCP_DEFINE_AUTO(vmcp_trust_auto_, struct vmcp_trust *, vmcp_trust_free)

#endif
