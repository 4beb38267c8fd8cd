/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - a server's certificate, its key, and the authority of its clients' certificates.
 *
 * One immutable, counted snapshot, TLS 1.2 or newer. A connection keeps the one that its handshake
 * began with. Where there is a client authority, a handshake without a certificate that verifies
 * against it fails, and so does the next request of a connection whose client a later snapshot
 * would not let in.
 *
 *     struct http_tls_files files = {.cert = "cert.pem", .key = "key.pem", .client_ca = "ca.pem"};
 *     if (http_tls_load(&files, &tls, &err) < 0) ...
 *     http_server_set_tls(server, tls);       from now on, for new connections
 *     http_tls_unref(tls);
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ends.h"
#include "lib/error.h"

struct http_tls;

struct http_tls_files {
    const char *cert;      /* PEM: the server's certificate first, then those it was signed by */
    const char *key;       /* PEM, private (file.h), not encrypted */
    const char *client_ca; /* PEM, one or several; NULL: clients need no certificate */
};

/* Read and check all of them. *ret is new, http_tls_unref(). Errors: those of vmcp_file_read();
 * VMCP_E_KEY, VMCP_E_TRUST with the file's name. */
VMCP_MUST_CHECK int http_tls_load(const struct http_tls_files *files, struct http_tls **ret,
                                  struct vmcp_error *err);
struct http_tls *http_tls_ref(struct http_tls *tls); /* NULL is fine, here and below */
void http_tls_unref(struct http_tls *tls);

/* When the server's certificate ends, in seconds since 1970. */
int64_t http_tls_not_after(const struct http_tls *tls);

/* What libmicrohttpd wants for its sessions to be ours. */
extern const char http_tls_priorities[];
int http_tls_no_certificate(void *session, const void *authorities, int authority_count,
                            const void *algorithms, int algorithm_count, void **certificates,
                            unsigned *certificate_count, void **key);

/* How far a handshake has come. */
struct http_handshake {
    bool is_done;
    enum http_end refusal; /* of its client's certificate */
};

/* Give a session (gnutls_session_t) its certificate before its handshake. `tls` and `handshake`,
 * which is kept up, must live longer. */
void http_tls_attach(struct http_tls *tls, void *session, struct http_handshake *handshake);
/* Must clients have a certificate? */
bool http_tls_wants_client(const struct http_tls *tls);
/* A session that shook hands with an older snapshot gets this one; false, and why in *ret_why, if
 * its client has no certificate that this one lets in now. */
bool http_tls_admits(struct http_tls *tls, void *session, enum http_end *ret_why);
/* When to ask that again: when the first of its client's certificates expires, or in a minute, for
 * the authorities expire too. Seconds since 1970. */
int64_t http_tls_look_again(void *session, int64_t now);

/* Where a server keeps its current snapshot. */
struct http_tls_slot {
    pthread_mutex_t lock;
    struct http_tls *tls;
    _Atomic(struct http_tls *) latest; /* to compare with only */
};

void http_tls_slot_init(struct http_tls_slot *slot, struct http_tls *tls); /* takes its own ref */
void http_tls_slot_clear(struct http_tls_slot *slot);
void http_tls_slot_set(struct http_tls_slot *slot, struct http_tls *tls); /* takes its own ref */
struct http_tls *http_tls_slot_get(struct http_tls_slot *slot);           /* a new ref */

#endif
