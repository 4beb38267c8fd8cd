/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h - a good version 2 answer, for the tests that break it. */
#ifndef UNIT_VERIFY_H
#define UNIT_VERIFY_H

#include "unit.h"

#include "lib/answer.h"
#include "lib/json.h"

#define DOMAIN "cfg.example.org"
#define HOSTID "0123456789abcdef"
#define SALT   "Salt-1"

enum { NOW = 1700000000 };

static const char header[] = "{\"alg\":\"EdDSA\",\"typ\":\"vmcp+jwt\"}";
static const char machine[] = "{\"name\":\"web\",\"secret\":\"a-long-enough-secret\",\"cpus\":2}";

static inline struct vmcp_trust *trust_in(const char *kind)
{
    struct vmcp_error err;
    struct vmcp_trust *trust = NULL;
    assert_good("", vmcp_trust_new(DOMAIN, &trust, &err), err);
    assert_good("", vmcp_trust_add_key(trust, unit_key(kind), &err), err);
    return trust;
}

static inline struct vmcp_expect expectation(const struct vmcp_trust *trust)
{
    return (struct vmcp_expect){.format = VMCP_FORMAT_V2,
                                .trust = trust,
                                .domain = DOMAIN,
                                .machine = "web",
                                .hostid = HOSTID,
                                .salt = SALT,
                                .min_serial = 5,
                                .now = NOW,
                                .skew = 300,
                                .complete = true};
}

/* The good payload with `claim` set to the JSON `value` (NULL: taken away). */
static inline char *payload_with(const char *claim, const char *value)
{
    json_auto_t *p =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:o}", "iss", DOMAIN, "sub", "web",
                  "aud", HOSTID, "nonce", SALT, "iat", (json_int_t)NOW, "exp",
                  (json_int_t)NOW + 300, "jti", "b4f7f0a6-0000-4000-8000-000000000000", "serial", 7,
                  "machine", json_loads(machine, 0, NULL));
    if (claim && value)
        json_object_set_new(p, claim, json_loads(value, JSON_DECODE_ANY, NULL));
    else if (claim)
        json_object_del(p, claim);
    return json_dumps(p, JSON_COMPACT);
}

static inline int verify(const char *text, const struct vmcp_expect *e, struct vmcp_error *err)
{
    auto_answer struct vmcp_answer a = {0};
    return vmcp_answer_verify(text, strlen(text), e, &a, err);
}

#endif
