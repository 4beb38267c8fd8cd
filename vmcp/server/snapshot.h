/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - everything that answers are made from: machines, keys, the published documents.
 *
 * A snapshot is loaded whole or not at all, and never changes; a reload makes another. It is
 * counted: who answers a request holds one until the answer is made.
 */
#ifndef SRV_SNAPSHOT_H
#define SRV_SNAPSHOT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogue.h"
#include "lib/error.h"
#include "lib/keyring.h"
#include "settings.h"
#include "signer.h"
#include "transport.h"

/* A public document as it is sent. */
struct srv_document {
    char *body; /* owned; NULL: there is none */
    size_t len;
    char etag[40]; /* quoted (RFC 9110, section 8.8.3) */
};

struct srv_snapshot {
    atomic_int refs;
    struct srv_catalogue *catalogue;
    struct vmcp_keyring ring;
    struct srv_signer *signer;
    struct srv_document jwks, keylist, keylist_sig;
    struct http_tls *tls; /* NULL: plain HTTP */
    int64_t loaded;       /* seconds since 1970 */
    int64_t retire_after; /* seconds that a retired key stays published */
    int64_t jwks_until;   /* when the first of them is to be left out; 0: never */
    unsigned generation;  /* 1, 2, … of this process; set by who loads it */
};

/* Load all that `settings` names, make one answer of each machine and job and verify it. Findings
 * in their files go to `report`. *ret is new, with one reference. */
VMCP_MUST_CHECK int srv_snapshot_load(const struct srv_settings *settings, srv_report report,
                                      void *arg, struct srv_snapshot **ret, struct vmcp_error *err);

/* The key set as of `now`: s->jwks, or where a retired key's time is over since then, a new one in
 * *fresh, srv_document_clear(). */
VMCP_MUST_CHECK int srv_snapshot_jwks(const struct srv_snapshot *snapshot, int64_t now,
                                      struct srv_document *fresh, const struct srv_document **ret,
                                      struct vmcp_error *err);
void srv_document_clear(struct srv_document *document);

struct srv_snapshot *srv_snapshot_ref(struct srv_snapshot *snapshot);
void srv_snapshot_unref(struct srv_snapshot *snapshot); /* NULL is fine */
/* Drop the reference when the requests that still use it are over, so that it is this thread and no
 * client that pays for freeing a large set; after a second, drop it anyway. */
void srv_snapshot_retire(struct srv_snapshot *snapshot);

#define auto_snapshot VMCP_AUTO(srv_snapshot_auto_)
VMCP_DEFINE_AUTO(srv_snapshot_auto_, struct srv_snapshot *, srv_snapshot_unref)

#endif
