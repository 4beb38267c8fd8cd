/* SPDX-License-Identifier: Apache-2.0 */
/* signer.h - the domain's keys at work.
 *
 * Signing stands behind one function that takes work and gives it back by a call, so that what
 * stands behind it can change (a batch, an HSM) without its callers. Today the work is done and
 * given back before the function returns.
 */
#ifndef SRV_SIGNER_H
#define SRV_SIGNER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogue.h"
#include "lib/error.h"
#include "lib/keyring.h"
#include "lib/question.h"
#include "lib/sign.h"

struct srv_signer;

struct srv_signer_options {
    const char *domain;
    const struct vmcp_keyring *ring; /* its active keys sign; borrowed for the call */
    const struct vmcp_alg *rsa_alg;  /* of RSA in version 2; NULL: PS256 */
    int ttl;                         /* seconds */
    const char *secret_file;         /* of ${vmcp.hmac.…}; NULL: none */
};

VMCP_MUST_CHECK int srv_signer_new(const struct srv_signer_options *options,
                                   struct srv_signer **ret, struct vmcp_error *err);
void srv_signer_free(struct srv_signer *signer);

/* One answer to be made. The signer fills `answer` or `err` and calls `done`. */
struct srv_work {
    const struct vmcp_question *question;
    const struct srv_machine *machine;
    int64_t now; /* seconds since 1970 */
    void (*done)(struct srv_work *work);
    void *arg; /* for `done` */
    /* the result */
    int rc;                     /* 0, or as err says */
    char *answer;               /* new string, free() */
    char jti[VMCP_JTI_LEN + 1]; /* "" in version 1 */
    const struct vmcp_key *key; /* that signed; borrowed from the signer */
    const struct vmcp_alg *alg; /* with which */
    struct vmcp_error err; /* VMCP_E_NO_RSA_KEY, VMCP_E_VERSION_2_ONLY, VMCP_E_HOSTID_REQUIRED… */
};

void srv_signer_submit(struct srv_signer *signer, struct srv_work *work);

/* What srv_signer_submit() would refuse before it signs. */
VMCP_MUST_CHECK int srv_signer_can(const struct srv_signer *signer,
                                   const struct srv_machine *machine,
                                   const struct vmcp_question *question, struct vmcp_error *err);

/* Make one answer of a machine and verify it as a client would. */
VMCP_MUST_CHECK int srv_signer_self_check(struct srv_signer *signer,
                                          const struct srv_machine *machine,
                                          struct vmcp_error *err);

#endif
