/* SPDX-License-Identifier: Apache-2.0 */
#include "signer.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/answer.h"
#include "lib/auto.h"
#include "lib/macro.h"
#include "lib/name.h"
#include "lib/respond.h"
#include "lib/trust.h"

enum { KEYS_MAX = 16 };

/* A thread's own copy of the keys. OpenSSL's RSA blinding locks a shared one, and belongs to the
 * thread that used a key first: for any other it is slower. */
struct key_set {
    pthread_t owner;
    struct vmcp_key *keys[KEYS_MAX];
    struct key_set *next;
};

struct srv_signer {
    char domain[VMCP_DOMAIN_MAX + 1];
    struct vmcp_key *keys[KEYS_MAX]; /* active, in the order that version 2 prefers */
    size_t count;
    const struct vmcp_alg *rsa_alg;
    int ttl;
    uint8_t secret[VMCP_SECRET_MAX];
    size_t secret_len;
    struct vmcp_buf headers[VMCP_KINDS]; /* of all version 2 answers: one key makes them */
    _Atomic(struct key_set *) sets;      /* one for each thread that ever signed; it only grows */
};

static void key_set_free(struct key_set *set)
{
    for (size_t i = 0; set && i < KEYS_MAX; i++)
        vmcp_key_unref(set->keys[i]);
    free(set);
}

void srv_signer_free(struct srv_signer *signer)
{
    if (!signer)
        return;
    for (struct key_set *next, *set = atomic_load(&signer->sets); set; set = next) {
        next = set->next;
        key_set_free(set);
    }
    for (size_t i = 0; i < signer->count; i++)
        vmcp_key_unref(signer->keys[i]);
    OPENSSL_cleanse(signer->secret, sizeof(signer->secret));
    for (int kind = 0; kind < VMCP_KINDS; kind++)
        vmcp_buf_clear(&signer->headers[kind]);
    free(signer);
}

static int take_keys(struct srv_signer *s, const struct vmcp_keyring *ring, struct vmcp_error *err)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->entries[i].state != VMCP_KEY_ACTIVE)
            continue;
        if (s->count == KEYS_MAX)
            return vmcp_fail(err, VMCP_E_LIMIT, "more than %d active keys", KEYS_MAX);
        s->keys[s->count++] = vmcp_key_ref(ring->entries[i].key);
    }
    return 0;
}

static int load_secret(struct srv_signer *s, const char *path, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_SECRET_MAX);
    if (vmcp_macro_read_secret(path, &b, err) < 0)
        return vmcp_error_option(err, "secret", NULL);
    memcpy(s->secret, b.data, b.len);
    s->secret_len = b.len;
    return 0;
}

static const struct vmcp_alg *choose_alg(const struct srv_signer *s, enum vmcp_format format,
                                         const struct vmcp_key *key)
{
    if (format == VMCP_FORMAT_V1)
        return vmcp_alg_find("RS512"); /* the only one that version 1 has */
    return vmcp_key_type(key) == VMCP_KEY_RSA && s->rsa_alg ? s->rsa_alg : vmcp_alg_default(key);
}

int srv_signer_new(const struct srv_signer_options *o, struct srv_signer **ret,
                   struct vmcp_error *err)
{
    int rc = vmcp_domain_check(o->domain, strlen(o->domain), err);
    if (rc < 0)
        return rc;
    struct srv_signer *s = calloc(1, sizeof(*s));
    if (!s)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the signer");
    memcpy(s->domain, o->domain, strlen(o->domain));
    s->rsa_alg = o->rsa_alg;
    s->ttl = o->ttl;
    rc = take_keys(s, o->ring, err);
    for (int kind = 0; kind < VMCP_KINDS; kind++) {
        s->headers[kind] = (struct vmcp_buf)VMCP_BUF(VMCP_ANSWER_MAX);
        if (rc == 0 && s->count)
            rc = vmcp_answer_header((enum vmcp_kind)kind, s->keys[0],
                                    choose_alg(s, VMCP_FORMAT_V2, s->keys[0]), &s->headers[kind],
                                    err);
    }
    if (rc == 0 && o->secret_file)
        rc = load_secret(s, o->secret_file, err);
    if (rc < 0) {
        srv_signer_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

/* The calling thread's copies. */
static struct key_set *own_set(struct srv_signer *s, struct vmcp_error *err)
{
    struct key_set *first = atomic_load(&s->sets);
    for (struct key_set *set = first; set; set = set->next)
        if (pthread_equal(set->owner, pthread_self()))
            return set;
    struct key_set *set = calloc(1, sizeof(*set));
    for (size_t i = 0; set && i < s->count; i++)
        if (vmcp_key_copy(s->keys[i], &set->keys[i], err) < 0) {
            key_set_free(set);
            return NULL;
        }
    if (!set)
        return NULL;
    set->owner = pthread_self();
    set->next = first;
    while (!atomic_compare_exchange_weak(&s->sets, &set->next, set))
        ;
    return set;
}

static int choose_key(const struct srv_signer *s, const struct srv_machine *machine,
                      const struct vmcp_question *q, size_t *ret, struct vmcp_error *err)
{
    *ret = 0; /* version 2: the first */
    if (q->format == VMCP_FORMAT_V2)
        return 0;
    if (machine->config.kind == VMCP_KIND_JOB) /* whatever keys there are */
        return vmcp_respond_check(&machine->config, q, err);
    for (size_t i = 0; i < s->count; i++)
        if (vmcp_key_type(s->keys[i]) == VMCP_KEY_RSA) {
            *ret = i;
            return 0;
        }
    return vmcp_fail(err, VMCP_E_NO_RSA_KEY,
                     "version 1 is signed with RSA, and this domain has no active RSA key; ask "
                     "with Accept: application/jose");
}

int srv_signer_can(const struct srv_signer *signer, const struct srv_machine *machine,
                   const struct vmcp_question *question, struct vmcp_error *err)
{
    size_t which = 0;
    int rc = choose_key(signer, machine, question, &which, err);
    return rc < 0 ? rc : vmcp_respond_check(&machine->config, question, err);
}

static int make_answer(struct srv_signer *s, struct srv_work *w)
{
    const struct srv_machine *m = w->machine;
    const struct vmcp_responder responder = {.domain = s->domain,
                                             .ttl = s->ttl,
                                             .secret = s->secret_len ? s->secret : NULL,
                                             .secret_len = s->secret_len,
                                             .header = &s->headers[m->config.kind]};
    const struct vmcp_subject subject = {.config = &m->config,
                                         .v1 = m->v1.text.data ? &m->v1 : NULL,
                                         .v2 = m->drafted ? &m->v2 : NULL};
    size_t which = 0;
    int rc = choose_key(s, m, w->question, &which, &w->err);
    if (rc < 0)
        return rc;
    struct key_set *set = own_set(s, &w->err);
    if (!set)
        return vmcp_fail(&w->err, VMCP_E_NO_MEMORY, "no memory for a copy of the keys");
    w->key = s->keys[which];
    w->alg = choose_alg(s, w->question->format, w->key);
    rc = vmcp_respond(&responder, &subject, w->question, set->keys[which], w->alg, w->now,
                      &w->answer, w->jti, &w->err);
    return rc;
}

void srv_signer_submit(struct srv_signer *signer, struct srv_work *work)
{
    work->rc = make_answer(signer, work);
    work->done(work);
}

static void keep(struct srv_work *work)
{
    (void)work; /* the result stays in it */
}

int srv_signer_self_check(struct srv_signer *s, const struct srv_machine *machine,
                          struct vmcp_error *err)
{
    struct vmcp_question q = {.format = VMCP_FORMAT_V2};
    auto_trust struct vmcp_trust *trust = NULL;
    auto_answer struct vmcp_answer answer = {0};
    int rc = vmcp_salt_make(q.salt, err);
    if (rc == 0)
        rc = vmcp_hostid_make(q.salt, s->domain, q.hostid, err);
    if (rc == 0)
        rc = vmcp_trust_new(s->domain, &trust, err);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = vmcp_trust_add_key(trust, s->keys[i], err);
    if (rc < 0)
        return rc;
    struct srv_work w = {.question = &q, .machine = machine, .now = time(NULL), .done = keep};
    srv_signer_submit(s, &w);
    auto_free char *text = w.answer;
    struct vmcp_expect expect = {.format = VMCP_FORMAT_V2,
                                 .kind = machine->config.kind,
                                 .trust = trust,
                                 .domain = s->domain,
                                 .machine = machine->config.name,
                                 .hostid = q.hostid,
                                 .salt = q.salt,
                                 .min_serial = machine->config.serial,
                                 .now = w.now,
                                 .complete = true};
    rc = w.rc;
    if (rc < 0)
        return vmcp_fail_at(err, w.err.code, machine->config.name, "%s", w.err.text);
    rc = vmcp_answer_verify(text, strlen(text), &expect, &answer, err);
    if (rc < 0)
        return vmcp_fail_at(err, err->code, machine->config.name,
                            "its own answer would be refused: %s", err->text);
    return 0;
}
