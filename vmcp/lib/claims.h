/* SPDX-License-Identifier: Apache-2.0 */
/* claims.h - what a signed answer says, held against what was expected.
 *
 * Called by vmcp_answer_verify() alone, behind a signature that is good: so a message may quote the
 * answer, and says what it has and what was wanted. What is quoted is cut; of a host id, which
 * opens what ${vmcp.hmac.…} gives its host, only the beginning is shown.
 */
#ifndef VMCP_CLAIMS_H
#define VMCP_CLAIMS_H

#include "answer.h"

/* Pass a check's outcome on, told to whoever listens to the expectation. */
int vmcp_claims_told(const struct vmcp_expect *e, const char *what, const char *with, int rc,
                     const struct vmcp_error *err);

/* `what`, which nobody expected anything of. */
extern const char vmcp_claims_open[];

/* iss, sub, aud, nonce, jti: strings, the first four equal to what was expected. Told. */
VMCP_MUST_CHECK int vmcp_claims_strings(const json_t *payload, const struct vmcp_expect *e,
                                        struct vmcp_error *err);

/* iat and exp into *a, held against the expectation's clock. Told. */
VMCP_MUST_CHECK int vmcp_claims_time(const json_t *payload, const struct vmcp_expect *e,
                                     struct vmcp_answer *a, struct vmcp_error *err);

/* serial into *a, held against the floor. Told. */
VMCP_MUST_CHECK int vmcp_claims_serial(const json_t *payload, const struct vmcp_expect *e,
                                       struct vmcp_answer *a, struct vmcp_error *err);

/* `name` of a version 1 machine. Told, and so is what version 1 has nothing of. */
VMCP_MUST_CHECK int vmcp_claims_v1(const json_t *params, const struct vmcp_expect *e,
                                   struct vmcp_error *err);

#endif
