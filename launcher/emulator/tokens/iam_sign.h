/* SPDX-License-Identifier: Apache-2.0 */
/* iam_sign.h - signatures by a service account's own key, which stays in the cloud. */
#ifndef EMU_IAM_SIGN_H
#define EMU_IAM_SIGN_H

#include "api/call.h"

/* signJwt {payload: "CLAIMS"}: *ret is {keyId, signedJwt}. An `exp` is at most 12 hours ahead. */
VMCP_MUST_CHECK int emu_iam_sign_jwt(struct emu_call *call, const char *account, const json_t *body,
                                     json_t **ret, struct emu_refusal *why);
/* signBlob {payload: base64}: *ret is {keyId, signedBlob}, RSASSA-PKCS1-v1_5 with SHA-256. */
VMCP_MUST_CHECK int emu_iam_sign_blob(struct emu_call *call, const char *account,
                                      const json_t *body, json_t **ret, struct emu_refusal *why);

#endif
