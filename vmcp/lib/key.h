/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - Ed25519, P-256 and RSA keys.
 *
 * A key is immutable and counted. Its private half lives only inside struct vmcp_key. Keys of any
 * other type, curve or size do not exist here: VMCP_E_KEY_UNSUPPORTED.
 *
 *     auto_key struct vmcp_key *key = NULL;
 *     if (vmcp_key_load_private("cfg.key", &key, &err) < 0) ...
 *     puts(vmcp_key_thumbprint(key));
 */
#ifndef VMCP_KEY_H
#define VMCP_KEY_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "error.h"

enum vmcp_key_type { VMCP_KEY_ED25519, VMCP_KEY_P256, VMCP_KEY_RSA };

struct vmcp_key;
struct vmcp_device;

/* Make a key pair. `kind` is "ed25519", "p-256", "rsa-2048", "rsa-3072" or "rsa-4096"; another one
 * is VMCP_E_USAGE. *ret is new, vmcp_key_unref(). */
VMCP_MUST_CHECK int vmcp_key_generate(const char *kind, struct vmcp_key **ret,
                                      struct vmcp_error *err);

/* Read one private key out of bytes: PEM or DER, PKCS#8 or PKCS#1 or SEC 1, not encrypted. */
VMCP_MUST_CHECK int vmcp_key_parse_private(const char *data, size_t len, struct vmcp_key **ret,
                                           struct vmcp_error *err);
/* Read one public key: PEM or DER, SubjectPublicKeyInfo (RFC 5280) or PKCS#1. A private one is
 * refused. */
VMCP_MUST_CHECK int vmcp_key_parse_public(const char *data, size_t len, struct vmcp_key **ret,
                                          struct vmcp_error *err);

/* The same from a file; a private key's must be private (file.h). vmcp_key_load_any takes a private
 * key too, which keeps its private half there. keyname.h has more: URIs, passphrases. */
VMCP_MUST_CHECK int vmcp_key_load_private(const char *path, struct vmcp_key **ret,
                                          struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_key_load_any(const char *path, struct vmcp_key **ret,
                                      struct vmcp_error *err);

/* Wrap an EVP_PKEY; takes the reference on success only. */
VMCP_MUST_CHECK int vmcp_key_wrap(EVP_PKEY *pkey, bool is_private, struct vmcp_key **ret,
                                  struct vmcp_error *err);

/* A key whose private half stays in hardware (device.h). Takes the device's reference on success
 * only. */
VMCP_MUST_CHECK int vmcp_key_wrap_device(struct vmcp_device *device, struct vmcp_key **ret,
                                         struct vmcp_error *err);

/* A key of its own with the same content. OpenSSL's RSA blinding is behind a lock for each
 * EVP_PKEY, so each signing thread works with a copy. What stays in hardware is shared. */
VMCP_MUST_CHECK int vmcp_key_copy(const struct vmcp_key *key, struct vmcp_key **ret,
                                  struct vmcp_error *err);

struct vmcp_key *vmcp_key_ref(struct vmcp_key *key);
void vmcp_key_unref(struct vmcp_key *key); /* NULL is fine */

enum vmcp_key_type vmcp_key_type(const struct vmcp_key *key);
const char *vmcp_key_type_name(const struct vmcp_key *key); /* "Ed25519", "P-256", "RSA-2048" */
int vmcp_key_bits(const struct vmcp_key *key);              /* RSA: the modulus; else 256 */
bool vmcp_key_is_private(const struct vmcp_key *key);
/* The RFC 7638 thumbprint with SHA-256, base64url, 43 characters; lives as long as the key. */
const char *vmcp_key_thumbprint(const struct vmcp_key *key);
/* Borrowed, for signing and verifying (sign.h). The private half of a key in hardware is not in it.
 */
EVP_PKEY *vmcp_key_pkey(const struct vmcp_key *key);
/* Where that private half stays; borrowed. NULL: nowhere but in vmcp_key_pkey(). */
struct vmcp_device *vmcp_key_device(const struct vmcp_key *key);

/* PKCS#8 PEM of a private key, to be written 0600 and wiped. New string, free(). */
VMCP_MUST_CHECK int vmcp_key_private_pem(const struct vmcp_key *key, char **ret, size_t *ret_len,
                                         struct vmcp_error *err);
/* The same encrypted: PBES2, AES-256-CBC (RFC 8018). */
VMCP_MUST_CHECK int vmcp_key_encrypted_pem(const struct vmcp_key *key, const char *passphrase,
                                           size_t len, char **ret, size_t *ret_len,
                                           struct vmcp_error *err);
/* SubjectPublicKeyInfo as PEM (new string, free()) and as DER (new bytes, free()). */
VMCP_MUST_CHECK int vmcp_key_public_pem(const struct vmcp_key *key, char **ret,
                                        struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_key_public_der(const struct vmcp_key *key, unsigned char **ret,
                                        size_t *ret_len, struct vmcp_error *err);

#define auto_key VMCP_AUTO(vmcp_key_auto_)
VMCP_DEFINE_AUTO(vmcp_key_auto_, struct vmcp_key *, vmcp_key_unref)

VMCP_DEFINE_AUTO(vmcp_pkey_auto_, EVP_PKEY *, EVP_PKEY_free)
#define auto_pkey VMCP_AUTO(vmcp_pkey_auto_)

#endif
