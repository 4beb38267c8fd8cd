/* SPDX-License-Identifier: Apache-2.0 */
/* respond.h - from a question and a machine or job file to the signed answer: the responder's side,
 * shared by `vmcpd` and `vmcp sign`. */
#ifndef VMCP_RESPOND_H
#define VMCP_RESPOND_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "key.h"
#include "limits.h"
#include "question.h"
#include "sign.h"
#include "v1.h"

/* What stays the same from question to question. All borrowed. */
struct vmcp_responder {
    const char *domain;
    int ttl;               /* of a version 2 answer, seconds */
    const uint8_t *secret; /* of ${vmcp.hmac.…}; NULL: none */
    size_t secret_len;
    const struct vmcp_buf *header; /* vmcp_answer_header() of the kind, and the key and algorithm
                                      that are given in version 2; NULL: made for each answer */
};

/* The machine to answer with. The drafts are of a machine without macros; NULL: made here (a server
 * keeps them from answer to answer). All borrowed. */
struct vmcp_subject {
    const struct vmcp_config *config;
    const struct vmcp_v1_draft *v1;
    const struct vmcp_buf *v2; /* vmcp_respond_draft() */
};

/* The version 2 draft of a machine without macros. */
VMCP_MUST_CHECK int vmcp_respond_draft(const struct vmcp_config *config, struct vmcp_buf *ret,
                                       struct vmcp_error *err);

/* What vmcp_respond() would refuse for the question's sake: VMCP_E_VERSION_2_ONLY,
 * VMCP_E_HOSTID_REQUIRED. */
VMCP_MUST_CHECK int vmcp_respond_check(const struct vmcp_config *config,
                                       const struct vmcp_question *question,
                                       struct vmcp_error *err);

/* Make the answer to `question` in its format, signed with `key` and, in version 2, `alg` (NULL:
 * the key's default). `now` is in seconds since 1970. *ret_answer is a new string, free();
 * `ret_jti` is
 * "" in version 1. Errors: VMCP_E_VERSION_2_ONLY, VMCP_E_HOSTID_REQUIRED, VMCP_E_MACRO, those of
 * signing. */
VMCP_MUST_CHECK int vmcp_respond(const struct vmcp_responder *responder,
                                 const struct vmcp_subject *subject,
                                 const struct vmcp_question *question, const struct vmcp_key *key,
                                 const struct vmcp_alg *alg, int64_t now, char **ret_answer,
                                 char ret_jti[VMCP_AT_LEAST(VMCP_JTI_LEN + 1)],
                                 struct vmcp_error *err);

#endif
