/* SPDX-License-Identifier: Apache-2.0 */
#include "jws.h"

#include <string.h>

#include "base64.h"
#include "buf.h"
#include "json.h"

/* Names and thumbprints need no escaping in JSON; anything else takes the long way. */
static bool is_plain(const char *s)
{
    return !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-._")];
}

static char *header_text(const struct vmcp_alg *alg, const char *typ, const char *kid)
{
    char *text = NULL;
    if (typ && kid && is_plain(typ) && is_plain(kid))
        return asprintf(&text, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"}", vmcp_alg_name(alg),
                        kid, typ) < 0
                   ? NULL
                   : text;
    json_auto_t *header =
        json_pack("{s:s, s:s*, s:s*}", "alg", vmcp_alg_name(alg), "kid", kid, "typ", typ);
    return header ? vmcp_json_text(header, NULL) : NULL;
}

void vmcp_jws_encode(struct vmcp_buf *b, const void *data, size_t len)
{
    char *at = vmcp_buf_extend(b, VMCP_BASE64_CHARS(len));
    if (at) /* without padding there are fewer characters */
        vmcp_buf_cut(b,
                     VMCP_BASE64_CHARS(len) - vmcp_base64_encode(VMCP_BASE64_URL, data, len, at));
}

int vmcp_jws_header(const struct vmcp_alg *alg, const char *typ, const char *kid,
                    struct vmcp_buf *ret, struct vmcp_error *err)
{
    auto_free char *header = header_text(alg, typ, kid);
    if (!header)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a JWS header");
    vmcp_jws_encode(ret, header, strlen(header));
    return vmcp_buf_check(ret, "a JWS header", err);
}

int vmcp_jws_sign(const struct vmcp_key *key, const struct vmcp_alg *alg, const char *typ,
                  const char *kid, const char *payload, size_t len, char **ret_jws,
                  struct vmcp_error *err)
{
    const struct vmcp_buf nothing = VMCP_BUF(0);
    auto_buf struct vmcp_buf header = VMCP_BUF(VMCP_ANSWER_MAX);
    int rc = vmcp_jws_header(alg, typ, kid, &header, err);
    return rc < 0 ? rc
                  : vmcp_jws_sign_rest(key, alg, &header, &nothing, payload, len, ret_jws, err);
}

int vmcp_jws_sign_rest(const struct vmcp_key *key, const struct vmcp_alg *alg,
                       const struct vmcp_buf *header, const struct vmcp_buf *begin,
                       const char *payload, size_t len, char **ret_jws, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_ANSWER_MAX);
    vmcp_buf_reserve(&b, header->len + begin->len + VMCP_BASE64_CHARS(len) +
                             VMCP_BASE64_CHARS(VMCP_SIGNATURE_MAX) + 2);
    vmcp_buf_add(&b, header->data, header->len);
    vmcp_buf_addc(&b, '.');
    vmcp_buf_add(&b, begin->data, begin->len);
    vmcp_jws_encode(&b, payload, len);
    int rc = vmcp_buf_check(&b, "a signed answer", err);
    if (rc < 0)
        return rc;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t sig_len = 0;
    rc = vmcp_sign(key, alg, b.data, b.len, sig, &sig_len, err);
    if (rc < 0)
        return rc;
    vmcp_buf_addc(&b, '.');
    vmcp_jws_encode(&b, sig, sig_len);
    rc = vmcp_buf_check(&b, "a signed answer", err);
    if (rc == 0)
        *ret_jws = vmcp_buf_steal(&b, NULL);
    return rc;
}

/* Decode one part into new memory. */
static int decode_part(const char *text, size_t chars, const char *what, uint8_t **ret,
                       size_t *ret_len, struct vmcp_error *err)
{
    auto_free uint8_t *bytes = malloc(VMCP_BASE64_BYTES(chars) + 1);
    if (!bytes)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a JWS");
    int rc = vmcp_base64_decode(VMCP_BASE64_URL, text, chars, bytes, ret_len, err);
    if (rc < 0)
        return vmcp_error_locate(err, what);
    *ret = steal(&bytes);
    return 0;
}

static int decode_object(const char *text, size_t chars, const char *what, json_t **ret,
                         struct vmcp_error *err)
{
    auto_free uint8_t *bytes = NULL;
    size_t len = 0;
    int rc = decode_part(text, chars, what, &bytes, &len, err);
    if (rc < 0)
        return rc;
    struct vmcp_error inner = {0};
    rc = vmcp_json_parse_object((char *)bytes, len, ret, &inner);
    if (rc == -VMCP_E_JSON)
        return vmcp_fail_at(err, VMCP_E_ANSWER_MALFORMED, what, "not a strict JSON object: %s, %s",
                            inner.where, inner.text);
    if (rc < 0)
        return vmcp_fail_at(err, inner.code, what, "%s", inner.text);
    return 0;
}

/* Find the two dots of three parts. The last may be empty: that is what an unsigned token looks
 * like, and its `alg` is what is wrong with it. */
static int split(const char *text, size_t len, size_t dots[static 2], struct vmcp_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '.' && ++count <= 2)
            dots[count - 1] = i;
    if (count != 2 || dots[0] == 0 || dots[1] == dots[0] + 1)
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED,
                         "not a JWS in compact serialization: three parts between dots are wanted");
    return 0;
}

/* The header decides nothing but which of our algorithms it is and which of our keys. */
static int check_header(struct vmcp_jws *jws, const char *want_typ, struct vmcp_error *err)
{
    static const char *const refused[] = {"crit", "jwk", "jku",      "x5c", "x5u",
                                          "x5t",  "zip", "x5t#S256", "b64"};
    const json_t *typ = json_object_get(jws->header, "typ");
    const json_t *kid = json_object_get(jws->header, "kid");
    const json_t *alg = json_object_get(jws->header, "alg");
    jws->typ = json_string_value(typ);
    jws->kid = json_string_value(kid);
    if (want_typ && (!jws->typ || strcmp(jws->typ, want_typ) != 0))
        return vmcp_fail_at(err, VMCP_E_TYP, "header", "`typ` is %s%.32s%s, not \"%s\"",
                            jws->typ ? "\"" : "", jws->typ ? jws->typ : "missing",
                            jws->typ ? "\"" : "", want_typ);
    jws->alg = json_is_string(alg) ? vmcp_alg_find(json_string_value(alg)) : NULL;
    if (!jws->alg)
        return vmcp_fail_at(err, VMCP_E_ALG, "header",
                            "`alg` is none of EdDSA, Ed25519, ES256, PS256, RS256, RS512");
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        if (json_object_get(jws->header, refused[i]))
            return vmcp_fail_at(err, VMCP_E_HEADER, "header", "`%s` is never accepted", refused[i]);
    if ((kid && !jws->kid) || (typ && !jws->typ))
        return vmcp_fail_at(err, VMCP_E_HEADER, "header", "`kid` and `typ` are strings");
    return 0;
}

int vmcp_jws_parse(const char *text, size_t len, const char *want_typ, struct vmcp_jws *ret,
                   struct vmcp_error *err)
{
    size_t dots[2] = {0};
    if (len > VMCP_ANSWER_MAX)
        return vmcp_fail(err, VMCP_E_ANSWER_TOO_LARGE, "the answer has %zu bytes; 1 MiB at most",
                         len);
    int rc = split(text, len, dots, err);
    if (rc < 0)
        return rc;
    auto_jws struct vmcp_jws jws = {.signing_input = text, .signing_input_len = dots[1]};
    rc = decode_object(text, dots[0], "header", &jws.header, err);
    if (rc == 0)
        rc = decode_object(text + dots[0] + 1, dots[1] - dots[0] - 1, "payload", &jws.payload, err);
    if (rc == 0)
        rc = decode_part(text + dots[1] + 1, len - dots[1] - 1, "signature", &jws.signature,
                         &jws.signature_len, err);
    if (rc == 0)
        rc = check_header(&jws, want_typ, err);
    if (rc < 0)
        return rc;
    *ret = jws;
    jws = (struct vmcp_jws){0};
    return 0;
}

int vmcp_jws_check(const struct vmcp_jws *jws, const struct vmcp_key *key, struct vmcp_error *err)
{
    return vmcp_sign_check(key, jws->alg, jws->signing_input, jws->signing_input_len,
                           jws->signature, jws->signature_len, err);
}

void vmcp_jws_clear(struct vmcp_jws *jws)
{
    json_decref(jws->header);
    json_decref(jws->payload);
    free(jws->signature);
    *jws = (struct vmcp_jws){0};
}
