/* SPDX-License-Identifier: Apache-2.0 */
/* keyname.h - keys by name: what `--key`, `--root` and the operands of `vmcp pubkey` take.
 *
 *   PATH, file:PATH       a file, PEM or DER: PKCS#8 (encrypted too), PKCS#1, SEC 1,
 *                         SubjectPublicKeyInfo, or a TPM's "TSS2 PRIVATE KEY"
 *   -                     the same on standard input
 *   pkcs11:…              a token's key (RFC 7512; pkcs11.h)
 *   handle:…, object:…    a TPM's key (tpm.h)
 *
 * What begins like a URI is one: a path with a colon in its first part is written ./a:b. A private
 * key's file must be private (file.h). Errors name the key without its PIN.
 *
 *     auto_passphrase struct vmcp_passphrase pass = {0};
 *     auto_key struct vmcp_key *key = NULL;
 *     if (vmcp_passphrase_init(&pass, "env:PIN", false, &err) < 0 ||
 *         vmcp_key_open("pkcs11:token=ops;object=cfg", &pass, &key, &err) < 0) ...
 */
#ifndef VMCP_KEYNAME_H
#define VMCP_KEYNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "key.h"
#include "passphrase.h"
#include "store.h"

enum vmcp_key_half {
    VMCP_KEY_PRIVATE, /* the private key */
    VMCP_KEY_PUBLIC,  /* the public key and nothing more */
    VMCP_KEY_ANY,     /* either; a private one keeps its private half */
};

/* Open a private key. `pass` (NULL: none) is read where it is needed. *ret is new,
 * vmcp_key_unref(). Errors: VMCP_E_FILE, VMCP_E_FILE_MODE, VMCP_E_LIMIT, VMCP_E_KEY,
 * VMCP_E_KEY_UNSUPPORTED, VMCP_E_KEY_PUBLIC_ONLY, VMCP_E_KEY_DEVICE, VMCP_E_PASSPHRASE,
 * VMCP_E_USAGE for a name that is none. */
VMCP_MUST_CHECK int vmcp_key_open(const char *name, struct vmcp_passphrase *pass,
                                  struct vmcp_key **ret, struct vmcp_error *err);

/* The same for a private or a public key, whose public half is wanted. */
VMCP_MUST_CHECK int vmcp_key_open_any(const char *name, struct vmcp_passphrase *pass,
                                      struct vmcp_key **ret, struct vmcp_error *err);

/* The same for a path, whatever it looks like. */
VMCP_MUST_CHECK int vmcp_key_open_file(const char *path, enum vmcp_key_half half,
                                       struct vmcp_passphrase *pass, struct vmcp_key **ret,
                                       struct vmcp_error *err);

/* The path of a key that is a file: *ret_path is a new string, free(); NULL where the key is none.
 * Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int vmcp_key_name_path(const char *name, char **ret_path, struct vmcp_error *err);

/* A name as it may be shown: a URI without its query and without a PIN. New string, free(); NULL
 * without memory. */
char *vmcp_key_name_show(const char *name);

/* Decode %XX (RFC 3986, section 2.1) in place; false, and the text is spoiled, where two hex digits
 * other than 00 do not follow. */
VMCP_MUST_CHECK bool vmcp_uri_decode(char *text);

/* VMCP_E_KEY_PUBLIC_ONLY. */
int vmcp_key_fail_public(struct vmcp_error *err);

/* Read the key in `data`. ask->asked tells afterwards whether a passphrase was the matter. */
VMCP_MUST_CHECK int vmcp_key_parse(const char *data, size_t len, enum vmcp_key_half half,
                                   struct vmcp_ask *ask, struct vmcp_key **ret,
                                   struct vmcp_error *err);

#endif
