/* SPDX-License-Identifier: Apache-2.0 */
#include "iam_sign.h"

#include <string.h>
#include <time.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "signer.h"

enum { AHEAD_MAX = 12 * 3600 };

static int bad(struct emu_refusal *why, const char *what)
{
    return emu_refuse(why, 400, "badRequest", "Invalid value for field 'payload': %s", what);
}

static int check_claims(const char *payload, struct emu_refusal *why)
{
    json_auto_t *claims = NULL;
    if (!payload || vmcp_json_parse_object(payload, strlen(payload), &claims, NULL) < 0)
        return bad(why, "the claims are wanted, as a string that holds a JSON object.");
    const json_t *exp = json_object_get(claims, "exp");
    if (exp && (!json_is_integer(exp) || json_integer_value(exp) > time(NULL) + AHEAD_MAX))
        return bad(why, "exp is seconds since 1970, at most 12 hours ahead.");
    return 0;
}

int emu_iam_sign_jwt(struct emu_call *call, const char *account, const json_t *body, json_t **ret,
                     struct emu_refusal *why)
{
    const char *payload = json_string_value(json_object_get(body, "payload"));
    auto_signer struct emu_signer signer = {0};
    auto_free char *jwt = NULL;
    struct vmcp_error err = {0};
    int rc = check_claims(payload, why);
    if (rc < 0)
        return rc;
    if (emu_signer_get(call->cloud->store, account, &signer, &err) < 0 ||
        vmcp_jws_sign(signer.key, vmcp_alg_find("RS256"), "JWT", signer.kid, payload,
                      strlen(payload), &jwt, &err) < 0)
        return emu_refuse_fault(why, &err);
    *ret = json_pack("{s:s, s:s}", "keyId", signer.kid, "signedJwt", jwt);
    return 0;
}

int emu_iam_sign_blob(struct emu_call *call, const char *account, const json_t *body, json_t **ret,
                      struct emu_refusal *why)
{
    const char *payload = json_string_value(json_object_get(body, "payload"));
    size_t chars = payload ? strlen(payload) : 0, len = 0, signature_len = 0;
    auto_free uint8_t *blob = malloc(VMCP_BASE64_BYTES(chars) + 1);
    auto_signer struct emu_signer signer = {0};
    struct vmcp_error err = {0};
    uint8_t signature[VMCP_SIGNATURE_MAX];
    char text[VMCP_BASE64_CHARS(VMCP_SIGNATURE_MAX) + 1];
    if (!blob || !payload ||
        vmcp_base64_decode(VMCP_BASE64_PADDED, payload, chars, blob, &len, NULL) < 0)
        return bad(why, "the bytes are wanted, in base64 with padding.");
    if (emu_signer_get(call->cloud->store, account, &signer, &err) < 0 ||
        vmcp_sign(signer.key, vmcp_alg_find("RS256"), blob, len, signature, &signature_len, &err) <
            0)
        return emu_refuse_fault(why, &err);
    vmcp_base64_encode(VMCP_BASE64_PADDED, signature, signature_len, text);
    *ret = json_pack("{s:s, s:s}", "keyId", signer.kid, "signedBlob", text);
    return 0;
}
