/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <string.h>

enum { DAY = 86400, LIFE_DAYS = 3650, NAME_MAX_LEN = 64 /* RFC 5280, ub-common-name */ };

VMCP_DEFINE_AUTO(x509_auto, X509 *, X509_free)
#define auto_x509 VMCP_AUTO(x509_auto)
VMCP_DEFINE_AUTO(bio_auto, BIO *, BIO_free_all)
#define auto_bio VMCP_AUTO(bio_auto)

static bool set_names(X509 *cert, const char *name)
{
    char text[NAME_MAX_LEN + 1];
    snprintf(text, sizeof(text), "%s", name);
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)text, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1;
}

static bool set_serial(X509 *cert)
{
    uint64_t serial = 0;
    return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *pkey, const char *name)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), LIFE_DAYS, 0, NULL) &&
           set_names(cert, name) && X509_set_pubkey(cert, pkey) == 1 &&
           X509_sign(cert, pkey, EVP_sha256()) > 0;
}

int emu_certificate_make(const struct vmcp_key *key, const char *name, char **ret_pem,
                         struct vmcp_error *err)
{
    auto_x509 X509 *cert = X509_new();
    auto_bio BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!cert || !out || !fill(cert, vmcp_key_pkey(key), name) ||
        PEM_write_bio_X509(out, cert) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "a certificate could not be made");
    long len = BIO_get_mem_data(out, &text);
    char *pem = strndup(text, (size_t)len);
    if (!pem)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a certificate");
    *ret_pem = pem;
    return 0;
}
