/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

#include <stdio.h>
#include <string.h>

#include "instant.h"

enum { SHOWN_MAX = 64, HOSTID_SHOWN = 12 };

const char vmcp_claims_open[] = "not checked: nothing was expected";

int vmcp_claims_told(const struct vmcp_expect *e, const char *what, const char *with, int rc,
                     const struct vmcp_error *err)
{
    if (e->on_check)
        e->on_check(e->on_check_arg, what, with, rc, err);
    return rc;
}

/* One of the claims that must equal something, and the words around what it has and what was
 * wanted. */
struct row {
    const char *claim, *want;
    enum vmcp_code code;
    int shown; /* of each value, bytes at most */
    const char *before, *between, *after;
};

/* What stands for the part of a value that is not shown. */
static const char *rest(const char *s, int shown)
{
    return strlen(s) > (size_t)shown ? "…" : "";
}

static int fail_mismatch(const struct row *r, const char *has, struct vmcp_error *err)
{
    return vmcp_fail_at(err, r->code, r->claim, "%s%.*s%s%s%.*s%s%s", r->before, r->shown, has,
                        rest(has, r->shown), r->between, r->shown, r->want, rest(r->want, r->shown),
                        r->after);
}

static int check_claim(const json_t *payload, const struct row *r, struct vmcp_error *err)
{
    const json_t *value = json_object_get(payload, r->claim);
    if (!json_is_string(value))
        return vmcp_fail_at(err, VMCP_E_CLAIMS, r->claim, "the claim `%s` is %s", r->claim,
                            value ? "not a string" : "missing");
    if (r->want && strcmp(json_string_value(value), r->want) != 0)
        return fail_mismatch(r, json_string_value(value), err);
    return 0;
}

static int integer_claim(const json_t *payload, const char *claim, int64_t *ret,
                         struct vmcp_error *err)
{
    const json_t *value = json_object_get(payload, claim);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || n > VMCP_SERIAL_MAX)
        return vmcp_fail_at(err, VMCP_E_CLAIMS, claim,
                            "the claim `%s` is to be an integer from 0 to 2^53-1", claim);
    *ret = n;
    return 0;
}

/* What each claim must equal, whole, and what it means when it does not. */
int vmcp_claims_strings(const json_t *payload, const struct vmcp_expect *e, struct vmcp_error *err)
{
    const bool is_job = e->kind == VMCP_KIND_JOB;
    const struct row rows[] = {
        {"iss", e->domain, VMCP_E_DOMAIN_MISMATCH, SHOWN_MAX, "the answer is of ", "; ",
         " was wanted"},
        {"sub", e->machine, is_job ? VMCP_E_JOB_MISMATCH : VMCP_E_MACHINE_MISMATCH, SHOWN_MAX,
         is_job ? "the answer is the job " : "the answer is the machine ", "; ", " was wanted"},
        {"aud", e->hostid, VMCP_E_HOSTID_MISMATCH, HOSTID_SHOWN,
         "the answer was made for the host id ", "; ours is ", ""},
        {"nonce", e->salt, VMCP_E_SALT_MISMATCH, SHOWN_MAX, "the answer was made for the salt ",
         "; ", " was sent: it is a replay"},
        {"jti", NULL, VMCP_E_CLAIMS, 0, "", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *with = rows[i].want ? rows[i].want : rows[i].shown ? vmcp_claims_open : "";
        int rc = check_claim(payload, &rows[i], err);
        if (vmcp_claims_told(e, rows[i].claim, with, rc, err) < 0)
            return rc;
    }
    return 0;
}

/* How far the clocks are apart, and when it was, in words. */
static int fail_time(const struct vmcp_expect *e, int64_t at, bool early, struct vmcp_error *err)
{
    char span[VMCP_SPAN_CHARS], text[VMCP_INSTANT_CHARS];
    vmcp_span_text(early ? at - e->now : e->now - at, span);
    vmcp_instant_text(at, text);
    if (early)
        return vmcp_fail_at(err, VMCP_E_NOT_YET_VALID, "iat",
                            "issued %s in the future, at %s: are the clocks right? (%d s apart are "
                            "allowed)",
                            span, text, e->skew);
    return vmcp_fail_at(err, VMCP_E_EXPIRED, "exp",
                        "expired %s ago, at %s: an old answer, or are the clocks wrong? (%d s "
                        "apart are allowed)",
                        span, text, e->skew);
}

static int check_time(const json_t *p, const struct vmcp_expect *e, struct vmcp_answer *a,
                      struct vmcp_error *err)
{
    int rc = integer_claim(p, "iat", &a->iat, err);
    if (rc == 0)
        rc = integer_claim(p, "exp", &a->exp, err);
    if (rc < 0)
        return rc;
    if (a->iat > e->now + e->skew)
        return fail_time(e, a->iat, true, err);
    if (e->now > a->exp + e->skew)
        return fail_time(e, a->exp, false, err);
    if (a->exp <= a->iat || a->exp - a->iat > VMCP_TTL_MAX)
        return vmcp_fail_at(err, VMCP_E_LIFETIME, "exp",
                            "a lifetime of %lld s; 1 to %d are allowed",
                            (long long)(a->exp - a->iat), VMCP_TTL_MAX);
    return 0;
}

int vmcp_claims_time(const json_t *payload, const struct vmcp_expect *e, struct vmcp_answer *a,
                     struct vmcp_error *err)
{
    char with[96], now[VMCP_INSTANT_CHARS];
    vmcp_instant_text(e->now, now);
    snprintf(with, sizeof(with), "now %s, skew %d s", now, e->skew);
    return vmcp_claims_told(e, "time", with, check_time(payload, e, a, err), err);
}

static int check_serial(const json_t *p, const struct vmcp_expect *e, struct vmcp_answer *a,
                        struct vmcp_error *err)
{
    int rc = integer_claim(p, "serial", &a->serial, err);
    if (rc < 0)
        return rc;
    if (a->serial < e->min_serial)
        return vmcp_fail_at(err, VMCP_E_SERIAL, "serial",
                            "serial %lld is under %lld, which was seen or asked for: the "
                            "server is stale, or its file was put back",
                            (long long)a->serial, (long long)e->min_serial);
    return 0;
}

int vmcp_claims_serial(const json_t *payload, const struct vmcp_expect *e, struct vmcp_answer *a,
                       struct vmcp_error *err)
{
    char with[48];
    snprintf(with, sizeof(with), "not under %lld", (long long)e->min_serial);
    return vmcp_claims_told(e, "serial", e->min_serial > 0 ? with : vmcp_claims_open,
                            check_serial(payload, e, a, err), err);
}

int vmcp_claims_v1(const json_t *params, const struct vmcp_expect *e, struct vmcp_error *err)
{
    static const char lacks[] = "not checked: version 1 does not carry it";
    const struct row name = {"name",
                             e->name,
                             VMCP_E_MACHINE_MISMATCH,
                             SHOWN_MAX,
                             "the answer's name is \"",
                             "\"; \"",
                             "\" was wanted. --expect-name NAME says that another is right"};
    int rc = check_claim(params, &name, err);
    if (vmcp_claims_told(e, "name", e->name ? e->name : vmcp_claims_open, rc, err) < 0)
        return rc;
    const char *const missing[] = {e->domain ? "iss" : NULL, e->hostid ? "aud" : NULL, "time",
                                   e->min_serial > 0 ? "serial" : NULL};
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
        if (missing[i])
            rc = vmcp_claims_told(e, missing[i], lacks, 0, err);
    return rc;
}
