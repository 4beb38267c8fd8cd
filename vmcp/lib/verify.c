/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that decides whether an answer is good: vmcp_answer_verify() of answer.h. */
#include <string.h>

#include "answer.h"
#include "base64.h"
#include "buf.h"
#include "claims.h"
#include "job.h"
#include "json.h"
#include "jws.h"
#include "machine.h"
#include "name.h"
#include "v1.h"

/* What was not said is not checked; with `complete` all must be said that the format can check. */
static int check_expectation(const struct vmcp_expect *e, struct vmcp_error *err)
{
    if (!e->salt)
        return vmcp_fail(err, VMCP_E_USAGE, "an answer cannot be checked without the salt");
    if (e->kind != VMCP_KIND_MACHINE && e->format == VMCP_FORMAT_V1)
        return vmcp_fail(err, VMCP_E_USAGE, "version 1 carries machines only");
    if (!e->complete || e->format == VMCP_FORMAT_V1)
        return 0;
    if (!e->domain)
        return vmcp_fail(err, VMCP_E_USAGE, "the expected domain is missing");
    if (!e->hostid)
        return vmcp_fail(err, VMCP_E_USAGE, "the expected host id is missing");
    return 0;
}

static unsigned left_open(const struct vmcp_expect *e)
{
    if (e->format == VMCP_FORMAT_V1)
        return VMCP_UNCHECKED_DOMAIN | VMCP_UNCHECKED_MACHINE | VMCP_UNCHECKED_HOSTID |
               VMCP_UNCHECKED_TIME | VMCP_UNCHECKED_SERIAL | (e->name ? 0u : VMCP_UNCHECKED_NAME);
    return (e->domain ? 0u : VMCP_UNCHECKED_DOMAIN) | (e->machine ? 0u : VMCP_UNCHECKED_MACHINE) |
           (e->hostid ? 0u : VMCP_UNCHECKED_HOSTID) |
           (e->min_serial > 0 ? 0u : VMCP_UNCHECKED_SERIAL);
}

/* A job, and nothing that a machine has. */
static int take_job(const json_t *p, struct vmcp_answer *a, struct vmcp_error *err)
{
    static const char *const others[] = {"machine", "gce", "count"};
    json_t *document = json_object_get(p, "job");
    auto_job struct vmcp_job job = {0};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (json_object_get(p, others[i]))
            return vmcp_fail_at(err, VMCP_E_CLAIMS, others[i],
                                "the claim `%s` does not stand beside a job", others[i]);
    int rc = vmcp_job_read(document, "/job", &a->notes, &job, err);
    if (rc < 0)
        return rc;
    a->job = json_incref(document);
    return 0;
}

/* The machine and what stands beside it. */
static int take_machine(const json_t *p, struct vmcp_answer *a, struct vmcp_error *err)
{
    if (json_object_get(p, "job"))
        return vmcp_fail_at(err, VMCP_E_CLAIMS, "job",
                            "the claim `job` does not stand beside a machine");
    json_t *machine = json_object_get(p, "machine");
    json_t *gce = json_object_get(p, "gce");
    const json_t *count = json_object_get(p, "count");
    vmcp_machine_check(machine, "/machine", &a->notes);
    int rc = vmcp_diags_check(&a->notes, err);
    if (rc < 0)
        return rc;
    if (gce && !json_is_object(gce))
        return vmcp_fail_at(err, VMCP_E_CLAIMS, "gce", "the claim `gce` is to be an object");
    json_int_t n = count ? json_integer_value(count) : 1;
    if (n < 1 || n > VMCP_COUNT_MAX)
        return vmcp_fail_at(err, VMCP_E_CLAIMS, "count",
                            "the claim `count` is to be an integer from 1 to %d", VMCP_COUNT_MAX);
    a->params = json_incref(machine);
    a->gce = json_incref(gce);
    a->count = n;
    return 0;
}

static void copy_claim(char *out, size_t size, const json_t *p, const char *claim)
{
    snprintf(out, size, "%s", json_string_value(json_object_get(p, claim)));
}

/* A name that was not expected is reported, and so must be a name. */
static int take_names(const json_t *p, struct vmcp_answer *a, struct vmcp_error *err)
{
    const char *domain = json_string_value(json_object_get(p, "iss"));
    const char *machine = json_string_value(json_object_get(p, "sub"));
    if (vmcp_domain_check(domain, strlen(domain), NULL) < 0)
        return vmcp_fail_at(err, VMCP_E_CLAIMS, "iss", "the claim `iss` is not a domain");
    if (vmcp_machine_name_check(machine, strlen(machine), NULL) < 0)
        return vmcp_fail_at(err, VMCP_E_CLAIMS, "sub", "the claim `sub` is not a %s's name",
                            vmcp_kind_name(a->kind));
    copy_claim(a->domain, sizeof(a->domain), p, "iss");
    copy_claim(a->machine, sizeof(a->machine), p, "sub");
    copy_claim(a->jti, sizeof(a->jti), p, "jti");
    return 0;
}

static void take_key(struct vmcp_answer *a, const struct vmcp_key *key, const struct vmcp_alg *alg)
{
    snprintf(a->thumbprint, sizeof(a->thumbprint), "%s", vmcp_key_thumbprint(key));
    snprintf(a->alg, sizeof(a->alg), "%s", vmcp_alg_name(alg));
}

static int check_signature(const struct vmcp_jws *jws, const struct vmcp_expect *e,
                           struct vmcp_answer *a, struct vmcp_error *err)
{
    const struct vmcp_key *key = NULL;
    int rc = vmcp_trust_find(e->trust, e->domain, jws->kid, jws->alg, &key, err);
    if (vmcp_claims_told(e, "key", jws->kid ? jws->kid : "the only one that fits the algorithm", rc,
                         err) < 0)
        return rc;
    rc = vmcp_jws_check(jws, key, err);
    if (vmcp_claims_told(e, "signature", vmcp_alg_name(jws->alg), rc, err) < 0)
        return rc;
    take_key(a, key, jws->alg);
    return 0;
}

static int check_claims_of(const json_t *p, const struct vmcp_expect *e, struct vmcp_answer *a,
                           struct vmcp_error *err)
{
    int rc = vmcp_claims_strings(p, e, err);
    if (rc < 0)
        return rc;
    rc = take_names(p, a, err);
    if (rc < 0)
        return vmcp_claims_told(e, "names",
                                e->kind == VMCP_KIND_JOB ? "a domain and a job's name"
                                                         : "a domain and a machine's name",
                                rc, err);
    rc = vmcp_claims_time(p, e, a, err);
    if (rc == 0)
        rc = vmcp_claims_serial(p, e, a, err);
    if (rc < 0)
        return rc;
    rc = e->kind == VMCP_KIND_JOB ? take_job(p, a, err) : take_machine(p, a, err);
    return vmcp_claims_told(e, vmcp_kind_name(e->kind), "the schema", rc, err);
}

/* Is there anything, and is it at least not of the other version? Whoever mixes the two up is told
 * so; what an answer looks like never decides how it is read. */
static int check_likeness(const char *text, size_t len, enum vmcp_format format,
                          struct vmcp_error *err)
{
    static const char base64url[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t i = 0;
    if (len > VMCP_ANSWER_MAX)
        return 0; /* that is wrong with it */
    while (i < len && text[i] && strchr(" \t\r\n", text[i]))
        i++;
    if (i == len)
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED, "empty: there is no answer in it");
    if (format == VMCP_FORMAT_V2 && text[i] == '{')
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED,
                         "JSON, as an answer of version 1 is: that is read with --format v1");
    if (format == VMCP_FORMAT_V2)
        return 0;
    size_t start = i;
    while (i < len && text[i] && strchr(base64url, text[i]))
        i++;
    if (i > start && i < len && text[i] == '.')
        return vmcp_fail(err, VMCP_E_ANSWER_MALFORMED,
                         "three parts between dots, as an answer of version 2 has: that is read "
                         "with --format v2");
    return 0;
}

static int verify_v2(const char *text, size_t len, const struct vmcp_expect *e,
                     struct vmcp_answer *a, struct vmcp_error *err)
{
    auto_jws struct vmcp_jws jws = {0};
    int rc = check_likeness(text, len, VMCP_FORMAT_V2, err);
    if (rc == 0)
        rc = vmcp_jws_parse(text, len, vmcp_kind_typ(e->kind), &jws, err);
    if (vmcp_claims_told(e, "form and header",
                         e->kind == VMCP_KIND_JOB ? "a JWS of type vmcp-job+jwt"
                                                  : "a JWS of type vmcp+jwt",
                         rc, err) < 0)
        return rc;
    rc = check_signature(&jws, e, a, err);
    return rc < 0 ? rc : check_claims_of(jws.payload, e, a, err);
}

/* Canonical base64 of `signature`, which is then taken out of the object. */
static int take_signature(json_t *params, uint8_t sig[static VMCP_SIGNATURE_MAX + 3],
                          size_t *ret_len, struct vmcp_error *err)
{
    const json_t *value = json_object_get(params, "signature");
    size_t chars = json_string_length(value);
    if (!json_is_string(value) || VMCP_BASE64_BYTES(chars) > VMCP_SIGNATURE_MAX + 3)
        return vmcp_fail_at(err, VMCP_E_ANSWER_MALFORMED, "signature",
                            "`signature` is to be a string of base64, of an RSA signature");
    int rc =
        vmcp_base64_decode(VMCP_BASE64_PADDED, json_string_value(value), chars, sig, ret_len, err);
    if (rc < 0)
        return vmcp_error_locate(err, "signature");
    json_object_del(params, "signature");
    return 0;
}

/* Version 1 names no key: the RSA keys of the trust set are tried in turn. */
static int check_v1_signature(const struct vmcp_trust *trust, const struct vmcp_buf *text,
                              const uint8_t *sig, size_t sig_len, struct vmcp_answer *a,
                              struct vmcp_error *err)
{
    const struct vmcp_alg *alg = vmcp_alg_find("RS512");
    bool tried = false;
    for (size_t i = 0; i < vmcp_trust_count(trust); i++) {
        const struct vmcp_key *key = vmcp_trust_key(trust, i);
        if (!key || !vmcp_alg_fits(alg, key))
            continue;
        tried = true;
        if (vmcp_sign_check(key, alg, text->data, text->len, sig, sig_len, err) == 0) {
            take_key(a, key, alg);
            return 0;
        }
    }
    if (!tried)
        return vmcp_fail(
            err, VMCP_E_KEY_UNTRUSTED,
            "version 1 is signed with RSA, and no RSA key is trusted; retired ones, and "
            "thumbprints without their key, do not count");
    return vmcp_fail(err, VMCP_E_SIGNATURE,
                     "the signature does not fit: the answer was changed, or is not to our salt, "
                     "or another key signed it");
}

static int parse_v1(const char *text, size_t len, struct vmcp_answer *a,
                    uint8_t sig[static VMCP_SIGNATURE_MAX + 3], size_t *ret_sig_len,
                    struct vmcp_error *err)
{
    struct vmcp_error inner = {0};
    if (len > VMCP_ANSWER_MAX)
        return vmcp_fail(err, VMCP_E_ANSWER_TOO_LARGE, "the answer has %zu bytes; 1 MiB at most",
                         len);
    if (vmcp_json_parse_object(text, len, &a->params, &inner) < 0)
        return vmcp_fail_at(err, VMCP_E_ANSWER_MALFORMED, inner.where,
                            "not a strict JSON object: %s", inner.text);
    return take_signature(a->params, sig, ret_sig_len, err);
}

static int verify_v1(const char *text, size_t len, const struct vmcp_expect *e,
                     struct vmcp_answer *a, struct vmcp_error *err)
{
    uint8_t sig[VMCP_SIGNATURE_MAX + 3];
    size_t sig_len = 0;
    auto_buf struct vmcp_buf signed_text = VMCP_BUF(4 * VMCP_ANSWER_MAX);
    int rc = check_likeness(text, len, VMCP_FORMAT_V1, err);
    if (rc == 0)
        rc = parse_v1(text, len, a, sig, &sig_len, err);
    if (vmcp_claims_told(e, "form", "flat JSON with a signature", rc, err) < 0)
        return rc;
    /* The rules of the keys come before the text: only by them has each document its own text. */
    vmcp_machine_check(a->params, "", &a->notes);
    rc = vmcp_diags_check(&a->notes, err);
    if (vmcp_claims_told(e, "machine", "the schema", rc, err) < 0)
        return rc;
    rc = vmcp_v1_text(a->params, &signed_text, err);
    vmcp_buf_adds(&signed_text, e->salt);
    if (rc == 0)
        rc = vmcp_buf_check(&signed_text, "the signed text", err);
    if (rc == 0)
        rc = check_v1_signature(e->trust, &signed_text, sig, sig_len, a, err);
    if (vmcp_claims_told(e, "signature", "RS512 over the signed text and the salt", rc, err) < 0)
        return rc;
    a->count = 1;
    return vmcp_claims_v1(a->params, e, err);
}

int vmcp_answer_verify(const char *text, size_t len, const struct vmcp_expect *expect,
                       struct vmcp_answer *ret, struct vmcp_error *err)
{
    auto_answer struct vmcp_answer a = {.format = expect->format, .kind = expect->kind};
    int rc = check_expectation(expect, err);
    if (rc == 0)
        rc = expect->format == VMCP_FORMAT_V1 ? verify_v1(text, len, expect, &a, err)
                                              : verify_v2(text, len, expect, &a, err);
    if (rc < 0)
        return rc;
    a.unchecked = left_open(expect);
    *ret = a;
    a = (struct vmcp_answer){0};
    return 0;
}
