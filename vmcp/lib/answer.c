/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <string.h>

#include "buf.h"
#include "jws.h"
#include "name.h"

/* All claims but `machine` and `gce`: the names, and the longest of their values. */
enum { CLAIMS_MAX = VMCP_DOMAIN_MAX + VMCP_NAME_MAX + 2 * VMCP_SALT_MAX + VMCP_JTI_LEN + 256 };

const char *vmcp_format_media_type(enum vmcp_format format)
{
    return format == VMCP_FORMAT_V2 ? "application/jose" : "application/json";
}

int vmcp_format_parse(const char *name, enum vmcp_format *ret, struct vmcp_error *err)
{
    if (strcmp(name, "v2") == 0)
        *ret = VMCP_FORMAT_V2;
    else if (strcmp(name, "v1") == 0)
        *ret = VMCP_FORMAT_V1;
    else
        return vmcp_fail(err, VMCP_E_USAGE, "there is no format %s; there are v1 and v2", name);
    return 0;
}

/* The names are checked here once more, by their own rules: what passes needs no JSON escaping. */
static int check_claims(const struct vmcp_claims *c, struct vmcp_error *err)
{
    int rc = vmcp_domain_check(c->domain, strlen(c->domain), err);
    if (rc == 0)
        rc = vmcp_machine_name_check(c->machine, strlen(c->machine), err);
    if (rc == 0)
        rc = vmcp_hostid_check(c->hostid, strlen(c->hostid), err);
    if (rc == 0)
        rc = vmcp_salt_check(c->salt, strlen(c->salt), err);
    if (rc == 0 && (c->ttl < VMCP_TTL_MIN || c->ttl > VMCP_TTL_MAX))
        return vmcp_fail(err, VMCP_E_LIFETIME, "a lifetime of %d s; %d to %d are allowed", c->ttl,
                         VMCP_TTL_MIN, VMCP_TTL_MAX);
    if (rc == 0 && (c->serial < 0 || c->serial > VMCP_SERIAL_MAX))
        return vmcp_fail(err, VMCP_E_CONFIG, "a serial is a whole number from 0 to 2^53-1");
    return rc;
}

int vmcp_answer_draft(const struct vmcp_claims *c, struct vmcp_buf *ret, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_ANSWER_MAX);
    vmcp_buf_reserve(&b, strlen(c->params) + (c->gce ? strlen(c->gce) : 0) + CLAIMS_MAX);
    vmcp_buf_addf(&b, "{\"%s\":", vmcp_kind_name(c->kind));
    vmcp_buf_adds(&b, c->params);
    if (c->gce) {
        vmcp_buf_adds(&b, ",\"gce\":");
        vmcp_buf_adds(&b, c->gce);
    }
    if (c->count)
        vmcp_buf_addf(&b, ",\"count\":%lld", (long long)c->count);
    vmcp_buf_addf(&b, ",\"serial\":%lld,", (long long)c->serial);
    while (b.len % 3 && !b.failed) /* so that what follows can be encoded by itself */
        vmcp_buf_addc(&b, ' ');
    int rc = vmcp_buf_check(&b, "an answer", err);
    if (rc == 0)
        vmcp_jws_encode(ret, b.data, b.len);
    return rc < 0 ? rc : vmcp_buf_check(ret, "an answer", err);
}

static void add_text(struct vmcp_buf *b, const char *before, const char *value)
{
    vmcp_buf_adds(b, before);
    vmcp_buf_adds(b, value);
}

/* The claims that answer the question. */
static void add_answering(struct vmcp_buf *b, const struct vmcp_claims *c, const char *jti)
{
    vmcp_buf_reserve(b, CLAIMS_MAX);
    add_text(b, "\"iss\":\"", c->domain);
    add_text(b, "\",\"sub\":\"", c->machine);
    add_text(b, "\",\"aud\":\"", c->hostid);
    add_text(b, "\",\"nonce\":\"", c->salt);
    add_text(b, "\",\"jti\":\"", jti);
    vmcp_buf_addf(b, "\",\"iat\":%lld,\"exp\":%lld}", (long long)c->iat,
                  (long long)c->iat + c->ttl);
}

int vmcp_answer_header(enum vmcp_kind kind, const struct vmcp_key *key, const struct vmcp_alg *alg,
                       struct vmcp_buf *ret, struct vmcp_error *err)
{
    return vmcp_jws_header(alg ? alg : vmcp_alg_default(key), vmcp_kind_typ(kind),
                           vmcp_key_thumbprint(key), ret, err);
}

int vmcp_answer_sign_v2(const struct vmcp_claims *c, const struct vmcp_key *key,
                        const struct vmcp_alg *alg, char **ret_jws, struct vmcp_error *err)
{
    char jti[VMCP_JTI_LEN + 1] = "";
    auto_buf struct vmcp_buf made = VMCP_BUF(2 * VMCP_ANSWER_MAX), b = VMCP_BUF(VMCP_ANSWER_MAX);
    auto_buf struct vmcp_buf header = VMCP_BUF(VMCP_ANSWER_MAX);
    const struct vmcp_buf *draft = c->draft ? c->draft : &made;
    int rc = check_claims(c, err);
    if (rc == 0 && !c->jti)
        rc = vmcp_uuid_make(jti, err);
    if (rc == 0 && !c->draft)
        rc = vmcp_answer_draft(c, &made, err);
    if (rc < 0)
        return rc;
    add_answering(&b, c, c->jti ? c->jti : jti);
    rc = vmcp_buf_check(&b, "an answer", err);
    if (rc < 0)
        return rc;
    if (!c->header)
        rc = vmcp_answer_header(c->kind, key, alg, &header, err);
    if (rc < 0)
        return rc;
    return vmcp_jws_sign_rest(key, alg ? alg : vmcp_alg_default(key),
                              c->header ? c->header : &header, draft, b.data, b.len, ret_jws, err);
}

void vmcp_answer_clear(struct vmcp_answer *answer)
{
    json_decref(answer->params);
    json_decref(answer->gce);
    json_decref(answer->job);
    vmcp_diags_clear(&answer->notes);
    *answer = (struct vmcp_answer){0};
}
