/* SPDX-License-Identifier: Apache-2.0 */
/* v1.h - VMCP version 1: the signed text, as the clients in the field compute it.
 *
 * Every parameter but `signature`, sorted by the bytes of its key as sent; for each the key in
 * lower case, `=`, the value percent-encoded but for RFC 3986's unreserved characters, a newline;
 * then the salt. Signed with RSASSA-PKCS1-v1_5 and SHA-512. (WebAPI, "Calculating VMCP Signature".)
 */
#ifndef VMCP_V1_H
#define VMCP_V1_H

#include <jansson.h>

#include "buf.h"
#include "error.h"
#include "key.h"

/* Append the signed text of `params` (an object of strings, 32-bit integers and booleans, borrowed)
 * without the salt: what stays the same from question to question. A value of any other type is
 * VMCP_E_MACHINE: the clients would drop it, and what they drop is not signed. */
VMCP_MUST_CHECK int vmcp_v1_text(const json_t *params, struct vmcp_buf *out,
                                 struct vmcp_error *err);

/* All of an answer that does not depend on the salt: a server keeps it from answer to answer. */
struct vmcp_v1_draft {
    struct vmcp_buf text; /* the signed text without the salt */
    struct vmcp_buf json; /* the answer's text as far as the signature */
};

/* Prepare answers of `params`: booleans become the numbers 1 and 0. To be cleared on failure too.
 */
VMCP_MUST_CHECK int vmcp_v1_draft_make(const json_t *params, struct vmcp_v1_draft *ret,
                                       struct vmcp_error *err);
void vmcp_v1_draft_clear(struct vmcp_v1_draft *draft);
#define auto_v1_draft VMCP_AUTO(vmcp_v1_draft_clear)

/* The answer to a question with this salt. The salt was checked before (name.h): this function
 * would sign any. *ret_json is a new string, free(). */
VMCP_MUST_CHECK int vmcp_v1_sign(const struct vmcp_v1_draft *draft, const char *salt,
                                 const struct vmcp_key *key, char **ret_json,
                                 struct vmcp_error *err);

#endif
