/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - the signed answer: how it is made, and when it is good.
 *
 * One function decides whether an answer is good. The server's self-check, `vmcp verify`, `vmcp
 * fetch` and `vmcp-launch` all call vmcp_answer_verify() with what they expect.
 *
 *     struct vmcp_expect expect = {.format = VMCP_FORMAT_V2, .trust = trust, .domain = "a.example",
 *                                  .machine = "web", .hostid = hostid, .salt = salt,
 *                                  .skew = VMCP_SKEW_DEFAULT, .now = time(NULL), .complete = true};
 *     auto_answer struct vmcp_answer answer = {0};
 *     if (vmcp_answer_verify(text, len, &expect, &answer, &err) < 0) ... refuse
 */
#ifndef VMCP_ANSWER_H
#define VMCP_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "diag.h"
#include "error.h"
#include "key.h"
#include "kind.h"
#include "limits.h"
#include "sign.h"
#include "trust.h"

enum vmcp_format { VMCP_FORMAT_V2, VMCP_FORMAT_V1 };

/* The media type of an answer: "application/jose", "application/json". */
const char *vmcp_format_media_type(enum vmcp_format format);
/* "v1" or "v2"; anything else is VMCP_E_USAGE. */
VMCP_MUST_CHECK int vmcp_format_parse(const char *name, enum vmcp_format *ret,
                                      struct vmcp_error *err);

/* What a version 2 answer says. All borrowed. */
struct vmcp_claims {
    enum vmcp_kind kind;
    const char *domain;           /* iss */
    const char *machine;          /* sub: the machine's name, or the job's */
    const char *hostid;           /* aud */
    const char *salt;             /* nonce */
    const char *jti;              /* NULL: a fresh UUID */
    int64_t iat;                  /* seconds since 1970 */
    int ttl;                      /* seconds, VMCP_TTL_MIN..VMCP_TTL_MAX */
    int64_t serial;               /* 0..VMCP_SERIAL_MAX */
    const char *params;           /* the machine as JSON text: an object of strings and integers;
                                     or the job */
    const char *gce;              /* an object as JSON text, or NULL; of a machine */
    int64_t count;                /* VMs; 0: not said; of a machine */
    const struct vmcp_buf *draft; /* of the last four (vmcp_answer_draft()); NULL: made here */
    const struct vmcp_buf
        *header; /* of key and algorithm (vmcp_answer_header()); NULL: made here */
};

/* Prepare the protected header of answers of a kind by `key` and `alg` (NULL: the key's default),
 * in base64url. */
VMCP_MUST_CHECK int vmcp_answer_header(enum vmcp_kind kind, const struct vmcp_key *key,
                                       const struct vmcp_alg *alg, struct vmcp_buf *ret,
                                       struct vmcp_error *err);

/* Prepare what does not depend on the question, so that a server does it once for each machine or
 * job: `params`, `gce`, `serial` and `count`, as the first part of the payload, in base64url. */
VMCP_MUST_CHECK int vmcp_answer_draft(const struct vmcp_claims *claims, struct vmcp_buf *ret,
                                      struct vmcp_error *err);

/* Sign with `alg` (NULL: the key's default). *ret_jws is a new string, free(). */
VMCP_MUST_CHECK int vmcp_answer_sign_v2(const struct vmcp_claims *claims,
                                        const struct vmcp_key *key, const struct vmcp_alg *alg,
                                        char **ret_jws, struct vmcp_error *err);

/* Told of each check as it is made: what was looked at, what it was held against ("" for nothing,
 * or "not checked: …"), and how it came out (0, or as `err` says). Nothing follows a failure. */
typedef void (*vmcp_on_check)(void *arg, const char *what, const char *with, int rc,
                              const struct vmcp_error *err);

/* What the asker expects. All borrowed. NULL means: not checked, unless `complete` is set, which
 * makes a missing expectation that the format can check VMCP_E_USAGE. */
struct vmcp_expect {
    enum vmcp_format format;
    enum vmcp_kind kind;            /* a job: version 2 only */
    const struct vmcp_trust *trust; /* never NULL */
    const char *domain;             /* version 2 only */
    const char *machine;            /* the name, or the job's; version 2 only; may be NULL even if
                                       complete */
    const char *hostid;             /* version 2 only */
    const char *salt;               /* never NULL */
    const char *name;               /* version 1 only: what `name` must be */
    int64_t min_serial;             /* version 2 only; 0: no floor */
    int64_t now;                    /* seconds since 1970, read after the answer's last byte */
    int skew;                       /* seconds, 0..VMCP_SKEW_MAX */
    bool complete;
    vmcp_on_check on_check; /* NULL: nobody is told */
    void *on_check_arg;
};

enum {
    VMCP_UNCHECKED_DOMAIN = 1,
    VMCP_UNCHECKED_MACHINE = 2,
    VMCP_UNCHECKED_HOSTID = 4,
    VMCP_UNCHECKED_TIME = 8,
    VMCP_UNCHECKED_SERIAL = 16,
    VMCP_UNCHECKED_NAME = 32, /* version 1 */
};

/* A good answer. */
struct vmcp_answer {
    enum vmcp_format format;
    enum vmcp_kind kind; /* as was expected */
    json_t *params;      /* the machine, owned; without `signature`; NULL: a job */
    json_t *job;         /* owned: what vmcp_job_read() takes; NULL: a machine */
    json_t *gce;         /* owned; NULL if absent */
    int64_t count;       /* 1 if absent */
    int64_t serial;      /* 0 in version 1 */
    int64_t iat, exp;
    char domain[VMCP_DOMAIN_MAX + 1]; /* "" in version 1 */
    char machine[VMCP_NAME_MAX + 1];  /* the name, or the job's; "" in version 1 */
    char jti[128];                    /* "" in version 1; cut, for the report only */
    char alg[8];
    char thumbprint[VMCP_THUMBPRINT_LEN + 1];
    struct vmcp_diags notes; /* warnings about the machine or job, owned */
    unsigned unchecked; /* VMCP_UNCHECKED_…: what the expectation left open or the format lacks */
};

/* Decide. *ret is filled only when the answer is good; vmcp_answer_clear(). */
VMCP_MUST_CHECK int vmcp_answer_verify(const char *text, size_t len,
                                       const struct vmcp_expect *expect, struct vmcp_answer *ret,
                                       struct vmcp_error *err);

void vmcp_answer_clear(struct vmcp_answer *answer);
#define auto_answer VMCP_AUTO(vmcp_answer_clear)

#endif
