/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/instant.h"
#include "lib/key.h"
#include "lib/limits.h"

enum { CA_FILE_MAX = 4 * 1024 * 1024 /* all authorities of a Debian are 220 KB */ };

VMCP_DEFINE_AUTO(bio_auto, BIO *, BIO_free)
#define auto_bio VMCP_AUTO(bio_auto)
VMCP_DEFINE_AUTO(x509_auto, X509 *, X509_free)
#define auto_x509 VMCP_AUTO(x509_auto)

static void free_infos(STACK_OF(X509_INFO) * infos)
{
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
}
VMCP_DEFINE_AUTO(infos_auto, STACK_OF(X509_INFO) *, free_infos)
#define auto_infos VMCP_AUTO(infos_auto)

static BIO *open_pem(const struct vmcp_buf *b)
{
    return BIO_new_mem_buf(b->data ? b->data : "", (int)b->len);
}

/* Nobody is asked for a passphrase in the middle of a question. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

/* Read a file that libcurl will read again by its name. Of a pipe, which can be read once, nothing:
 * *ret_once. */
static int read_file(const char *option, const char *path, enum vmcp_file_kind kind,
                     struct vmcp_buf *b, bool *ret_once, struct vmcp_error *err)
{
    struct stat st;
    *ret_once = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    if (*ret_once)
        return 0;
    if (strcmp(path, "-") == 0)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "%s -: a file is wanted; /dev/stdin names standard input", option);
    int rc = vmcp_file_read(path, kind, b, err);
    return rc < 0 ? vmcp_fail_at(err, err->code, err->where, "%s: %s", option, err->text) : 0;
}

static int check_ca(const char *path, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf pem = VMCP_BUF(CA_FILE_MAX);
    bool once = false;
    int rc = read_file("--cacert", path, VMCP_FILE_PUBLIC, &pem, &once, err);
    if (rc < 0 || once)
        return rc;
    auto_bio BIO *bio = open_pem(&pem);
    auto_infos STACK_OF(X509_INFO) *infos =
        bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
    for (int i = 0; infos && i < sk_X509_INFO_num(infos); i++)
        if (sk_X509_INFO_value(infos, i)->x509)
            return 0;
    ERR_clear_error();
    return vmcp_fail_at(err, VMCP_E_TRUST, path,
                        "--cacert: no certificate of an authority in it; PEM is wanted");
}

static int read_key(const char *path, EVP_PKEY **ret, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf pem = VMCP_BUF(VMCP_KEY_FILE_MAX);
    bool asked = false, once = false;
    int rc = read_file("--client-key", path, VMCP_FILE_PRIVATE, &pem, &once, err);
    if (rc < 0 || once)
        return rc;
    auto_bio BIO *bio = open_pem(&pem);
    *ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;
    ERR_clear_error();
    if (*ret)
        return 0;
    return vmcp_fail_at(err, VMCP_E_KEY, path,
                        asked ? "--client-key: is encrypted; one without a passphrase is wanted"
                              : "--client-key: not a private key in PEM");
}

static int check_pair(const char *cert_path, const char *key_path, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf pem = VMCP_BUF(CA_FILE_MAX);
    auto_pkey EVP_PKEY *key = NULL;
    bool once = false;
    int rc = read_file("--client-cert", cert_path, VMCP_FILE_PUBLIC, &pem, &once, err);
    if (rc < 0)
        return rc;
    rc = read_key(key_path, &key, err);
    if (rc < 0 || once)
        return rc;
    auto_bio BIO *bio = open_pem(&pem);
    auto_x509 X509 *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    ERR_clear_error();
    if (!cert)
        return vmcp_fail_at(err, VMCP_E_KEY, cert_path, "--client-cert: not a certificate in PEM");
    int fits = key ? X509_check_private_key(cert, key) : 1; /* none: of a pipe */
    ERR_clear_error();
    return fits == 1
               ? 0
               : vmcp_fail_at(err, VMCP_E_KEY, key_path,
                              "--client-key: is not the key of the certificate in %s", cert_path);
}

int http_certificates_check(const struct http_certificates *files, struct vmcp_error *err)
{
    if (!files->cert != !files->key)
        return vmcp_fail(err, VMCP_E_USAGE, "--client-cert and --client-key belong together");
    int rc = files->ca ? check_ca(files->ca, err) : 0;
    return rc == 0 && files->cert ? check_pair(files->cert, files->key, err) : rc;
}

/* The names of the other side's certificate, as libcurl has them: "DNS:a.example, IP Address:::1";
 * without any, its subject. */
static void find_names(CURL *curl, char *out, size_t size)
{
    static const char *const labels[] = {"X509v3 Subject Alternative Name:", "Subject:"};
    struct curl_certinfo *chain = NULL;
    out[0] = '\0';
    if (http_curl.easy_getinfo(curl, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
        chain->num_of_certs < 1)
        return;
    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels) && !out[0]; i++)
        for (const struct curl_slist *l = chain->certinfo[0]; l; l = l->next)
            if (strncmp(l->data, labels[i], strlen(labels[i])) == 0) {
                const char *names = l->data + strlen(labels[i]);
                bool cut = strlen(names) >= size;
                snprintf(out, size, "%.*s%s", (int)(size - 4), names, cut ? "…" : "");
            }
}

/* Of "cfg.example.org:8443" and "[::1]:8443". */
static size_t host_length(const char *host)
{
    const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;
    return bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");
}

static void explain_refusal(CURL *curl, const char *host, const struct http_certificates *files,
                            char *ret, size_t size)
{
    char names[120] = "", now[VMCP_INSTANT_CHARS];
    long verdict = X509_V_OK;
    http_curl.easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
    vmcp_instant_text(time(NULL), now);
    switch (verdict) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* what libcurl begins with, and leaves where a name is wrong */
        find_names(curl, names, sizeof(names));
        if (names[0])
            snprintf(ret, size,
                     "the server's certificate is for %s, not for %.*s, the host of the URL", names,
                     (int)host_length(host), host);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(ret, size,
                 "the server's certificate, or one that it was signed by, %s: it is %s here; the "
                 "server needs another one, or this clock is wrong",
                 verdict == X509_V_ERR_CERT_HAS_EXPIRED ? "has expired" : "is not valid yet", now);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(ret, size, "the server's certificate was signed by nobody %s%s%s (%s)%s",
                 files && files->ca ? "in " : "that this machine knows",
                 files && files->ca ? files->ca : "", files && files->ca ? ", of --cacert" : "",
                 X509_verify_cert_error_string(verdict),
                 files && !files->ca ? "; --cacert FILE names who did" : "");
        return;
    default:
        snprintf(ret, size, "the server's certificate is refused: %s",
                 X509_verify_cert_error_string(verdict));
    }
}

void http_certificates_explain(CURL *curl, CURLcode code, const char *text, const char *host,
                               const struct http_certificates *files, char *ret, size_t size)
{
    ret[0] = '\0';
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        explain_refusal(curl, host, files, ret, size);
    else if (strstr(text, "wrong version number"))
        snprintf(ret, size, "no TLS is spoken there; is it http://, or another port?");
    else if (files && (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
                       code == CURLE_SEND_ERROR || code == CURLE_SSL_CONNECT_ERROR))
        snprintf(ret, size, "%s; %s", text,
                 files->cert ? "is the certificate of --client-cert one that it lets in?"
                             : "a server that wants its clients' certificates ends so "
                               "(--client-cert, --client-key), or no TLS is spoken there");
}
