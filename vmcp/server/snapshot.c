/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/file.h"
#include "lib/instant.h"
#include "lib/keylist.h"
#include "lib/keyname.h"
#include "parallel.h"

enum { RETIRE_LOOKS = 1000 }; /* one a millisecond */

struct srv_snapshot *srv_snapshot_ref(struct srv_snapshot *snapshot)
{
    atomic_fetch_add(&snapshot->refs, 1);
    return snapshot;
}

void srv_snapshot_unref(struct srv_snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    srv_catalogue_free(s->catalogue);
    srv_signer_free(s->signer);
    vmcp_keyring_clear(&s->ring);
    http_tls_unref(s->tls);
    srv_document_clear(&s->jwks);
    srv_document_clear(&s->keylist);
    srv_document_clear(&s->keylist_sig);
    free(s);
}

void srv_snapshot_retire(struct srv_snapshot *s)
{
    for (int i = 0; i < RETIRE_LOOKS && atomic_load(&s->refs) > 1; i++)
        usleep(1000000 / RETIRE_LOOKS);
    srv_snapshot_unref(s);
}

void srv_document_clear(struct srv_document *document)
{
    free(document->body);
    *document = (struct srv_document){0};
}

/* Take over `body` as a document. */
static int set_document(struct srv_document *d, char *body, size_t len, struct vmcp_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    d->body = body;
    d->len = len;
    if (!body || EVP_Digest(body, len, digest, &n, EVP_sha256(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a document");
    vmcp_hex_encode(digest, n, hex);
    snprintf(d->etag, sizeof(d->etag), "\"%.32s\"", hex);
    return 0;
}

/* An error of a key: of its own option, or of the one that says where the passphrase comes from,
 * whose place is the source or the file in it. */
static int name_key_option(const struct srv_settings *o, const char *option, struct vmcp_error *err)
{
    size_t len = o->passphrase ? strlen(o->passphrase) : 0, seen = strlen(err->where);
    bool source = seen && len >= seen && strcmp(o->passphrase + len - seen, err->where) == 0;
    return vmcp_error_option(err, source ? "passphrase" : option, NULL);
}

static int load_keys(const struct srv_settings *o, struct srv_snapshot *s, struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->keys.count; i++) {
        auto_key struct vmcp_key *key = NULL;
        auto_free char *shown = vmcp_key_name_show(o->keys.items[i]);
        rc = vmcp_key_open(o->keys.items[i], o->pass, &key, err);
        if (rc == 0)
            rc = vmcp_keyring_add(&s->ring, key, VMCP_KEY_ACTIVE, shown ? shown : "", err);
    }
    if (rc < 0)
        return name_key_option(o, "key", err);
    if (o->keys_dir && vmcp_keyring_load(&s->ring, o->keys_dir, o->pass, false, err) < 0)
        return name_key_option(o, "keys", err);
    for (size_t i = 0; i < s->ring.count; i++) {
        const struct vmcp_keyring_entry *e = &s->ring.entries[i];
        int64_t until = e->since + o->retire_after + 1;
        if (e->state == VMCP_KEY_RETIRED && until > s->loaded &&
            (!s->jwks_until || until < s->jwks_until))
            s->jwks_until = until;
    }
    if (!vmcp_keyring_signing_key(&s->ring, false))
        return vmcp_fail_at(err, VMCP_E_KEY, o->keys_dir,
                            "there is no active key; make one with: vmcp keygen --alg ed25519 "
                            "--out %s/active/1.key",
                            o->keys_dir);
    return 0;
}

static int make_jwks(const struct srv_snapshot *s, int64_t now, struct srv_document *ret,
                     struct vmcp_error *err)
{
    json_auto_t *set = NULL;
    int rc = vmcp_keyring_jwks(&s->ring, now - s->retire_after, &set, err);
    if (rc < 0)
        return rc;
    char *text = json_dumps(set, JSON_INDENT(2));
    return set_document(ret, text, text ? strlen(text) : 0, err);
}

int srv_snapshot_jwks(const struct srv_snapshot *s, int64_t now, struct srv_document *fresh,
                      const struct srv_document **ret, struct vmcp_error *err)
{
    bool stale = s->jwks_until && now >= s->jwks_until;
    int rc = stale ? make_jwks(s, now, fresh, err) : 0;
    *ret = stale ? fresh : &s->jwks;
    return rc;
}

static int read_document(const char *dir, const char *name, size_t max, struct srv_document *ret,
                         struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_buf struct vmcp_buf b = VMCP_BUF(max);
    int rc = vmcp_file_path(dir, name, &path, err);
    if (rc == 0)
        rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    if (!b.len)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "is empty");
    size_t len = 0;
    char *body = vmcp_buf_steal(&b, &len);
    return set_document(ret, body, len, err);
}

/* The key list is published as it is; its readers check it. What is checked here is that the root
 * key is not one of the keys that sign answers: a version 1 signed text is itself lines of
 * key=value, and would pass for a key list with a lenient reader. */
static int load_keylist(const struct srv_settings *o, struct srv_snapshot *s,
                        struct vmcp_error *err)
{
    int rc =
        read_document(o->keystore_dir, VMCP_KEYLIST_FILE, VMCP_KEYLIST_BYTES_MAX, &s->keylist, err);
    if (rc == 0)
        rc = read_document(o->keystore_dir, VMCP_KEYLIST_SIG_FILE, VMCP_SIGNATURE_MAX,
                           &s->keylist_sig, err);
    if (rc < 0)
        return vmcp_error_option(err, "keystore", NULL);
    for (size_t i = 0; rc == 0 && i < s->ring.count; i++) {
        const struct vmcp_keyring_entry *e = &s->ring.entries[i];
        if (vmcp_key_type(e->key) == VMCP_KEY_RSA &&
            vmcp_sign_check(e->key, vmcp_alg_find("RS512"), s->keylist.body, s->keylist.len,
                            (const uint8_t *)s->keylist_sig.body, s->keylist_sig.len, NULL) == 0)
            rc = vmcp_fail_at(err, VMCP_E_KEY, e->name,
                              "is the root key of the key list; it signs lists and nothing else: "
                              "keep it away from the server, and sign answers with another");
    }
    return rc;
}

/* One answer of each machine or job, on several threads; the first that fails is told. */
struct check {
    struct srv_snapshot *snapshot;
    enum vmcp_kind kind;
    pthread_mutex_t lock; /* of what follows */
    size_t failed;        /* its index, or the count: none */
    struct vmcp_error err;
};

static void check_answer(void *arg, size_t i)
{
    struct check *c = arg;
    struct vmcp_error err = {0};
    if (srv_signer_self_check(c->snapshot->signer,
                              srv_catalogue_at(c->snapshot->catalogue, c->kind, i), &err) == 0)
        return;
    pthread_mutex_lock(&c->lock);
    if (i < c->failed) {
        c->failed = i;
        c->err = err;
    }
    pthread_mutex_unlock(&c->lock);
}

static int check_answers(struct srv_snapshot *s, enum vmcp_kind kind, struct vmcp_error *err)
{
    size_t count = srv_catalogue_count(s->catalogue, kind);
    struct check c = {
        .snapshot = s, .kind = kind, .lock = PTHREAD_MUTEX_INITIALIZER, .failed = count};
    srv_parallel(count, check_answer, &c);
    if (c.failed == count)
        return 0;
    *err = c.err;
    return -(int)c.err.code;
}

/* Its clients refuse an expired certificate; who runs the server may be the last to know. */
static void warn_of_certificate(const struct srv_settings *o, const struct srv_snapshot *s,
                                srv_report report, void *arg)
{
    char when[VMCP_INSTANT_CHARS], span[VMCP_SPAN_CHARS], text[128];
    int64_t end = s->tls ? http_tls_not_after(s->tls) : INT64_MAX;
    int64_t left = end - s->loaded;
    if (left > VMCP_TLS_WARN_BEFORE)
        return;
    vmcp_instant_text(end, when);
    vmcp_span_text(left < 0 ? -left : left, span);
    snprintf(text, sizeof(text), "the certificate %s at %s, %s%s%s",
             left < 0 ? "expired" : "expires", when, left < 0 ? "" : "in ", span,
             left < 0 ? " ago" : "");
    report(arg, o->transport.tls_cert, 0, 0, false, text);
}

static int load(const struct srv_settings *o, srv_report report, void *arg, struct srv_snapshot *s,
                struct vmcp_error *err)
{
    int rc = load_keys(o, s, err);
    if (rc == 0)
        rc = make_jwks(s, s->loaded, &s->jwks, err);
    if (rc == 0 && o->keystore_dir)
        rc = load_keylist(o, s, err);
    if (rc == 0)
        rc = srv_transport_load_tls(&o->transport, &s->tls, err);
    if (rc == 0)
        warn_of_certificate(o, s, report, arg);
    struct srv_signer_options signer = {.domain = o->domain,
                                        .ring = &s->ring,
                                        .rsa_alg = o->rsa_alg,
                                        .ttl = (int)o->ttl,
                                        .secret_file = o->secret};
    if (rc == 0)
        rc = srv_signer_new(&signer, &s->signer, err);
    if (rc < 0)
        return rc;
    const struct srv_catalogue_options catalogue = {
        .folder = o->configs,
        .with_v1 = vmcp_keyring_signing_key(&s->ring, true) != NULL,
        .universe = o->universe,
    };
    rc = srv_catalogue_load(&catalogue, report, arg, &s->catalogue, err);
    if (rc == 0 && o->fallback)
        rc = srv_catalogue_set_default(s->catalogue, o->fallback, err);
    for (int kind = 0; rc == 0 && kind < VMCP_KINDS; kind++)
        rc = check_answers(s, (enum vmcp_kind)kind, err);
    return rc;
}

int srv_snapshot_load(const struct srv_settings *settings, srv_report report, void *arg,
                      struct srv_snapshot **ret, struct vmcp_error *err)
{
    auto_snapshot struct srv_snapshot *s = calloc(1, sizeof(*s));
    if (!s)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for what is to be served");
    s->refs = 1;
    s->loaded = time(NULL);
    s->retire_after = settings->retire_after;
    int rc = load(settings, report, arg, s, err);
    if (rc < 0)
        return rc;
    *ret = steal(&s);
    return 0;
}
