/* SPDX-License-Identifier: Apache-2.0 */
/* certificates.h - TLS of a client: its files, looked at before anybody is asked, and what was
 * wrong with the other side's certificate, in words that say what would help.
 *
 *     struct http_certificates files = {.ca = "ca.pem"};
 *     if (http_certificates_check(&files, &err) < 0) ...
 */
#ifndef HTTP_CERTIFICATES_H
#define HTTP_CERTIFICATES_H

#include <stddef.h>

#include "curl.h"
#include "lib/error.h"

/* NULL: not given. All strings are borrowed. */
struct http_certificates {
    const char *ca;   /* --cacert: PEM of the authorities to trust instead of the system's */
    const char *cert; /* --client-cert: PEM of our certificate, and those it was signed by */
    const char *key;  /* --client-key: PEM of its private key, private (file.h), not encrypted */
};

/* Can all of them be used? A wrong file is not the network's failure, and asking again does not
 * mend it. Errors: VMCP_E_USAGE for a certificate or a key alone; those of vmcp_file_read(),
 * VMCP_E_TRUST, VMCP_E_KEY with the file, and the option in the text. */
VMCP_MUST_CHECK int http_certificates_check(const struct http_certificates *files,
                                            struct vmcp_error *err);

/* Why the transfer of an https URL ended with `code`, as far as certificates have to do with it:
 * a message in `ret`; "" where `text`, libcurl's own, says enough. `host` may have its port behind
 * it. `files` (NULL: the options are not the user's to give) are what the transfer used. */
void http_certificates_explain(CURL *curl, CURLcode code, const char *text, const char *host,
                               const struct http_certificates *files, char *ret, size_t size);

#endif
