/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/limits.h"

/* RFC 8996 deprecates what is older. */
const char http_tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

struct http_tls {
    atomic_uint refs;
    gnutls_certificate_credentials_t credentials;
    bool wants_client;
    int64_t not_after;
};

VMCP_DEFINE_AUTO(tls_auto, struct http_tls *, http_tls_unref)
#define auto_tls VMCP_AUTO(tls_auto)
VMCP_DEFINE_AUTO(crt_auto, gnutls_x509_crt_t, gnutls_x509_crt_deinit)
#define auto_crt VMCP_AUTO(crt_auto)

static gnutls_datum_t datum(const struct vmcp_buf *b)
{
    return (gnutls_datum_t){.data = (unsigned char *)b->data, .size = (unsigned)b->len};
}

/* Does the peer's certificate verify, for a client's purpose, against the session's authorities?
 * Else why not. */
static enum http_end judge_peer(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0, count = 0;
    if (!gnutls_certificate_get_peers(session, &count) || count == 0)
        return HTTP_END_NO_CERTIFICATE;
    if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_CLIENT) != GNUTLS_CRT_X509 ||
        gnutls_certificate_verify_peers(session, &purpose, 1, &status) != GNUTLS_E_SUCCESS)
        return HTTP_END_BAD_CERTIFICATE;
    if (status == 0)
        return HTTP_END_NONE;
    /* What is not valid now is told so only where nothing else is wrong with it. */
    status &= ~(unsigned)(GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED | GNUTLS_CERT_INVALID);
    return status == 0 ? HTTP_END_EXPIRED_CERTIFICATE : HTTP_END_BAD_CERTIFICATE;
}

/* Within the handshake: what is not 0 ends it. */
static int verify_client(gnutls_session_t session)
{
    struct http_handshake *handshake = gnutls_session_get_ptr(session);
    handshake->refusal = judge_peer(session);
    return handshake->refusal == HTTP_END_NONE ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* After each message. A client without a certificate sends an empty list (RFC 8446, section 4.4.2;
 * RFC 5246, section 7.4.6), which GnuTLS does not ask us about. */
static int note_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                        const gnutls_datum_t *message)
{
    enum { EMPTY_LIST = 4 }; /* bytes: a context of none, and a length of three */
    struct http_handshake *handshake = gnutls_session_get_ptr(session);
    (void)when;
    if (incoming && type == GNUTLS_HANDSHAKE_FINISHED)
        handshake->is_done = true;
    if (incoming && type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && message &&
        message->size <= EMPTY_LIST)
        handshake->refusal = HTTP_END_NO_CERTIFICATE;
    return 0;
}

static int set_client_ca(struct http_tls *tls, const char *path, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf pem = VMCP_BUF(VMCP_TRUST_FILE_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &pem, err);
    if (rc < 0)
        return rc;
    gnutls_datum_t data = datum(&pem);
    int found = pem.len ? gnutls_certificate_set_x509_trust_mem(tls->credentials, &data,
                                                                GNUTLS_X509_FMT_PEM)
                        : 0;
    if (found <= 0)
        return vmcp_fail_at(err, VMCP_E_TRUST, path, "no certificate of an authority in it%s%s",
                            found < 0 ? ": " : "; PEM is wanted",
                            found < 0 ? gnutls_strerror(found) : "");
    gnutls_certificate_set_verify_function(tls->credentials, verify_client);
    tls->wants_client = true;
    return 0;
}

static int read_not_after(struct http_tls *tls, const char *path, const gnutls_datum_t *pem,
                          struct vmcp_error *err)
{
    auto_crt gnutls_x509_crt_t crt = NULL;
    int rc = gnutls_x509_crt_init(&crt);
    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_x509_crt_import(crt, pem, GNUTLS_X509_FMT_PEM);
    if (rc == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR)
        return vmcp_fail_at(err, VMCP_E_KEY, path,
                            "there is no certificate in it; PEM is wanted, which begins with "
                            "-----BEGIN CERTIFICATE-----");
    if (rc != GNUTLS_E_SUCCESS)
        return vmcp_fail_at(err, VMCP_E_KEY, path, "its certificate is damaged: %s",
                            gnutls_strerror(rc));
    tls->not_after = gnutls_x509_crt_get_expiration_time(crt);
    return 0;
}

static int set_key(struct http_tls *tls, const struct http_tls_files *files, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf cert = VMCP_BUF(VMCP_TRUST_FILE_MAX);
    auto_secret_buf struct vmcp_buf key = VMCP_BUF(VMCP_KEY_FILE_MAX);
    int rc = vmcp_file_read(files->cert, VMCP_FILE_PUBLIC, &cert, err);
    if (rc == 0)
        rc = vmcp_file_read(files->key, VMCP_FILE_PRIVATE, &key, err);
    if (rc < 0)
        return rc;
    gnutls_datum_t cert_data = datum(&cert), key_data = datum(&key);
    rc = read_not_after(tls, files->cert, &cert_data, err);
    if (rc < 0)
        return rc;
    int set = gnutls_certificate_set_x509_key_mem2(tls->credentials, &cert_data, &key_data,
                                                   GNUTLS_X509_FMT_PEM, NULL, 0);
    if (set == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return vmcp_fail_at(err, VMCP_E_KEY, files->key, "is not the key of the certificate in %s",
                            files->cert);
    if (set < 0)
        return vmcp_fail_at(err, VMCP_E_KEY, files->key, "not a private key in PEM: %s",
                            gnutls_strerror(set));
    return 0;
}

int http_tls_load(const struct http_tls_files *files, struct http_tls **ret, struct vmcp_error *err)
{
    auto_tls struct http_tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a certificate");
    atomic_init(&tls->refs, 1);
    if (gnutls_certificate_allocate_credentials(&tls->credentials) != GNUTLS_E_SUCCESS)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a certificate");
    int rc = set_key(tls, files, err);
    if (rc == 0 && files->client_ca)
        rc = set_client_ca(tls, files->client_ca, err);
    if (rc == 0)
        *ret = steal(&tls);
    return rc;
}

struct http_tls *http_tls_ref(struct http_tls *tls)
{
    if (tls)
        atomic_fetch_add(&tls->refs, 1);
    return tls;
}

void http_tls_unref(struct http_tls *tls)
{
    if (!tls || atomic_fetch_sub(&tls->refs, 1) != 1)
        return;
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls);
}

int64_t http_tls_not_after(const struct http_tls *tls)
{
    return tls ? tls->not_after : 0;
}

/* libmicrohttpd starts no TLS server without a certificate or a way to get one. Each session gets
 * ours before its handshake; one that had not would find none. */
int http_tls_no_certificate(void *session, const void *authorities, int authority_count,
                            const void *algorithms, int algorithm_count, void **certificates,
                            unsigned *certificate_count, void **key)
{
    (void)session;
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    (void)certificates;
    (void)certificate_count;
    (void)key;
    return -1;
}

/* The session's pointer is libmicrohttpd's for pre-shared keys, which are not used here. */
void http_tls_attach(struct http_tls *tls, void *session, struct http_handshake *handshake)
{
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    gnutls_certificate_server_set_request(session, tls->wants_client ? GNUTLS_CERT_REQUIRE
                                                                     : GNUTLS_CERT_IGNORE);
    gnutls_session_set_ptr(session, handshake);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST,
                                       note_message);
}

bool http_tls_wants_client(const struct http_tls *tls)
{
    return tls->wants_client;
}

bool http_tls_admits(struct http_tls *tls, void *session, enum http_end *ret_why)
{
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    enum http_end why = tls->wants_client ? judge_peer(session) : HTTP_END_NONE;
    if (why != HTTP_END_NONE)
        *ret_why = why;
    return why == HTTP_END_NONE;
}

int64_t http_tls_look_again(void *session, int64_t now)
{
    enum { AT_LEAST = 60 }; /* seconds */
    unsigned count = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &count);
    int64_t at = now + AT_LEAST;
    for (unsigned i = 0; list && i < count; i++) {
        auto_crt gnutls_x509_crt_t crt = NULL;
        if (gnutls_x509_crt_init(&crt) != GNUTLS_E_SUCCESS ||
            gnutls_x509_crt_import(crt, &list[i], GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS)
            return now;
        int64_t until = gnutls_x509_crt_get_expiration_time(crt) + 1;
        at = until < at ? until : at;
    }
    return at;
}

void http_tls_slot_init(struct http_tls_slot *slot, struct http_tls *tls)
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->tls = http_tls_ref(tls);
    atomic_init(&slot->latest, tls);
}

void http_tls_slot_clear(struct http_tls_slot *slot)
{
    http_tls_unref(slot->tls);
    pthread_mutex_destroy(&slot->lock);
}

void http_tls_slot_set(struct http_tls_slot *slot, struct http_tls *tls)
{
    http_tls_ref(tls);
    pthread_mutex_lock(&slot->lock);
    struct http_tls *old = slot->tls;
    slot->tls = tls;
    atomic_store(&slot->latest, tls);
    pthread_mutex_unlock(&slot->lock);
    http_tls_unref(old);
}

struct http_tls *http_tls_slot_get(struct http_tls_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct http_tls *tls = http_tls_ref(slot->tls);
    pthread_mutex_unlock(&slot->lock);
    return tls;
}
