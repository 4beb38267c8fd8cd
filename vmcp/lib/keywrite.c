/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as text: what is written to files. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#include "device.h"
#include "key.h"
#include "limits.h"

enum { SALT_LEN = 16 }; /* bytes; NIST SP 800-132, section 5.1 */

VMCP_DEFINE_AUTO(bio_auto, BIO *, BIO_free_all)
VMCP_DEFINE_AUTO(p8_auto, PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free)
VMCP_DEFINE_AUTO(sealed_auto, X509_SIG *, X509_SIG_free)
VMCP_DEFINE_AUTO(pbe_auto, X509_ALGOR *, X509_ALGOR_free)
#define auto_bio    VMCP_AUTO(bio_auto)
#define auto_p8     VMCP_AUTO(p8_auto)
#define auto_sealed VMCP_AUTO(sealed_auto)
#define auto_pbe    VMCP_AUTO(pbe_auto)

/* The content of a memory BIO as a new string. */
static int take_bio(BIO *bio, char **ret, size_t *ret_len, struct vmcp_error *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *copy = len > 0 ? strndup(data, (size_t)len) : NULL;
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key's text");
    *ret = copy;
    if (ret_len)
        *ret_len = (size_t)len;
    return 0;
}

static int check_here(const struct vmcp_key *key, struct vmcp_error *err)
{
    if (vmcp_key_device(key))
        return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY,
                         "the private half of the key does not leave its hardware");
    if (!vmcp_key_is_private(key))
        return vmcp_fail(err, VMCP_E_KEY_PUBLIC_ONLY, "the private half of the key is not here");
    return 0;
}

int vmcp_key_private_pem(const struct vmcp_key *key, char **ret, size_t *ret_len,
                         struct vmcp_error *err)
{
    auto_bio BIO *bio = BIO_new(BIO_s_secmem());
    int rc = check_here(key, err);
    if (rc < 0)
        return rc;
    if (!bio ||
        PEM_write_bio_PKCS8PrivateKey(bio, vmcp_key_pkey(key), NULL, NULL, 0, NULL, NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the private key cannot be written as PEM");
    return take_bio(bio, ret, ret_len, err);
}

/* PBES2 with PBKDF2 and AES-256-CBC (RFC 8018, sections 5.2 and 6.2); salt and IV are random. */
static X509_SIG *seal(EVP_PKEY *pkey, const char *passphrase, size_t len)
{
    auto_p8 PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
    auto_pbe X509_ALGOR *pbe = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), VMCP_PBKDF2_ROUNDS, NULL,
                                                 SALT_LEN, NULL, NID_hmacWithSHA256);
    X509_SIG *sealed = NULL;
    if (plain && pbe)
        sealed = PKCS8_set0_pbe(passphrase, (int)len, plain, pbe);
    if (sealed)
        pbe = NULL; /* part of it now */
    return sealed;
}

int vmcp_key_encrypted_pem(const struct vmcp_key *key, const char *passphrase, size_t len,
                           char **ret, size_t *ret_len, struct vmcp_error *err)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    int rc = check_here(key, err);
    if (rc < 0)
        return rc;
    auto_sealed X509_SIG *sealed = seal(vmcp_key_pkey(key), passphrase, len);
    ERR_clear_error();
    if (!bio || !sealed || PEM_write_bio_PKCS8(bio, sealed) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the private key cannot be encrypted");
    return take_bio(bio, ret, ret_len, err);
}

int vmcp_key_public_pem(const struct vmcp_key *key, char **ret, struct vmcp_error *err)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || PEM_write_bio_PUBKEY(bio, vmcp_key_pkey(key)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the public key cannot be written as PEM");
    return take_bio(bio, ret, NULL, err);
}

int vmcp_key_public_der(const struct vmcp_key *key, unsigned char **ret, size_t *ret_len,
                        struct vmcp_error *err)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(vmcp_key_pkey(key), &der);
    auto_free unsigned char *copy = len > 0 ? malloc((size_t)len) : NULL;
    if (copy)
        memcpy(copy, der, (size_t)len);
    OPENSSL_free(der);
    if (!copy)
        return vmcp_fail(err, VMCP_E_CRYPTO, "the public key cannot be written as DER");
    *ret = steal(&copy);
    *ret_len = (size_t)len;
    return 0;
}
