/* SPDX-License-Identifier: Apache-2.0 */
/* keylist.h - the version 1 key list: which domain has which key, signed by a root key.
 *
 * `domainkeys.lst` has one line a domain, DOMAIN=BASE64 of the key's SubjectPublicKeyInfo;
 * `domainkeys.sig` is the raw RSASSA-PKCS1-v1_5 SHA-512 signature of the list's bytes. The root key
 * signs lists and nothing else: a version 1 signed text is itself lines of key=value, and would
 * pass for a list with a lenient reader. So it may not be one of the listed keys, and the reader
 * here is strict: every line is a domain and canonical base64 of one whole key, no domain twice.
 */
#ifndef VMCP_KEYLIST_H
#define VMCP_KEYLIST_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "key.h"
#include "limits.h"

#define VMCP_KEYLIST_FILE     "domainkeys.lst"
#define VMCP_KEYLIST_SIG_FILE "domainkeys.sig"

struct vmcp_keylist_entry {
    char domain[VMCP_DOMAIN_MAX + 1];
    struct vmcp_key *key; /* owned by the list */
};

struct vmcp_keylist {
    struct vmcp_keylist_entry *entries; /* owned, in the order of the file */
    size_t count;
};

/* Add a domain's RSA key (a reference is taken). Errors: VMCP_E_DOMAIN_MALFORMED, VMCP_E_USAGE for
 * a domain that is there already, VMCP_E_KEY_UNSUPPORTED for a key that version 1 cannot use. */
VMCP_MUST_CHECK int vmcp_keylist_add(struct vmcp_keylist *list, const char *domain,
                                     struct vmcp_key *key, struct vmcp_error *err);

/* The list's text, a new string, free(), and its signature by `root`, an RSA private key that is
 * not listed. */
VMCP_MUST_CHECK int vmcp_keylist_sign(const struct vmcp_keylist *list, const struct vmcp_key *root,
                                      char **ret_text,
                                      uint8_t ret_sig[VMCP_AT_LEAST(VMCP_SIGNATURE_MAX)],
                                      size_t *ret_sig_len, struct vmcp_error *err);

/* Check the signature first, then read. *ret is filled on success only. Errors: VMCP_E_SIGNATURE,
 * VMCP_E_TRUST with the line in err->where. */
VMCP_MUST_CHECK int vmcp_keylist_read(const char *text, size_t len, const uint8_t *sig,
                                      size_t sig_len, const struct vmcp_key *root,
                                      struct vmcp_keylist *ret, struct vmcp_error *err);

void vmcp_keylist_clear(struct vmcp_keylist *list);
#define auto_keylist __attribute__((cleanup(vmcp_keylist_clear)))

#endif
