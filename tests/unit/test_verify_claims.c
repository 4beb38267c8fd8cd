/* SPDX-License-Identifier: Apache-2.0 */
/* The deciding function on version 2: each claim, with each value that it may not have. */
#include "verify.h"

/* The code of the good answer with one claim changed. */
static int with_claim(const char *claim, const char *value, struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    struct vmcp_expect e = expectation(trust);
    auto_free char *payload = payload_with(claim, value);
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    return verify(token, &e, err);
}

static void claims(void **state)
{
    (void)state;
    static const struct {
        const char *claim, *value;
        enum vmcp_code code;
    } rows[] = {
        {NULL, NULL, VMCP_OK},
        {"extra", "[1]", VMCP_OK},
        /* strings, and no others */
        {"iss", NULL, VMCP_E_CLAIMS},
        {"iss", "7", VMCP_E_CLAIMS},
        {"iss", "[\"cfg.example.org\"]", VMCP_E_CLAIMS},
        {"sub", NULL, VMCP_E_CLAIMS},
        {"sub", "null", VMCP_E_CLAIMS},
        {"aud", NULL, VMCP_E_CLAIMS},
        {"aud", "[\"" HOSTID "\"]", VMCP_E_CLAIMS}, /* an array `aud` is refused */
        {"nonce", NULL, VMCP_E_CLAIMS},
        {"nonce", "[\"" SALT "\"]", VMCP_E_CLAIMS},
        {"jti", NULL, VMCP_E_CLAIMS},
        {"jti", "1", VMCP_E_CLAIMS},
        /* equal, whole */
        {"iss", "\"other.example.org\"", VMCP_E_DOMAIN_MISMATCH},
        {"iss", "\"cfg.example.org.\"", VMCP_E_DOMAIN_MISMATCH},
        {"iss", "\"CFG.example.org\"", VMCP_E_DOMAIN_MISMATCH},
        {"iss", "\"cfg.example.orga\"", VMCP_E_DOMAIN_MISMATCH},
        {"iss", "\"\"", VMCP_E_DOMAIN_MISMATCH},
        {"sub", "\"we\"", VMCP_E_MACHINE_MISMATCH},
        {"sub", "\"web2\"", VMCP_E_MACHINE_MISMATCH},
        {"sub", "\"Web\"", VMCP_E_MACHINE_MISMATCH},
        {"aud", "\"0123456789abcde\"", VMCP_E_HOSTID_MISMATCH},
        {"aud", "\"0123456789ABCDEF\"", VMCP_E_HOSTID_MISMATCH},
        {"nonce", "\"Salt-2\"", VMCP_E_SALT_MISMATCH},
        {"nonce", "\"salt-1\"", VMCP_E_SALT_MISMATCH},
        {"nonce", "\"Salt-1 \"", VMCP_E_SALT_MISMATCH},
        /* times are integers in 0..2^53-1 */
        {"iat", NULL, VMCP_E_CLAIMS},
        {"iat", "\"1700000000\"", VMCP_E_CLAIMS},
        {"iat", "1700000000.0", VMCP_E_CLAIMS},
        {"iat", "-1", VMCP_E_CLAIMS},
        {"iat", "9007199254740992", VMCP_E_CLAIMS},
        {"exp", NULL, VMCP_E_CLAIMS},
        {"exp", "1.7e9", VMCP_E_CLAIMS},
        {"exp", "9223372036854775807", VMCP_E_CLAIMS},
        {"exp", "9007199254740991", VMCP_E_LIFETIME},
        {"iat", "1700000300", VMCP_E_LIFETIME}, /* exp <= iat */
        {"exp", "1700000000", VMCP_E_LIFETIME},
        {"exp", "1700003600", VMCP_OK},
        {"exp", "1700003601", VMCP_E_LIFETIME},
        {"iat", "1700000301", VMCP_E_NOT_YET_VALID}, /* before the lifetime */
        {"iat", "1699996699", VMCP_E_LIFETIME},
        {"exp", "1699999700", VMCP_E_LIFETIME}, /* just within the skew */
        {"exp", "1699999699", VMCP_E_EXPIRED},
        /* serial */
        {"serial", NULL, VMCP_E_CLAIMS},
        {"serial", "\"7\"", VMCP_E_CLAIMS},
        {"serial", "7.0", VMCP_E_CLAIMS},
        {"serial", "-1", VMCP_E_CLAIMS},
        {"serial", "9007199254740992", VMCP_E_CLAIMS},
        {"serial", "9007199254740991", VMCP_OK},
        {"serial", "5", VMCP_OK},
        {"serial", "4", VMCP_E_SERIAL},
        {"serial", "0", VMCP_E_SERIAL},
        /* the machine and what stands beside it */
        {"machine", NULL, VMCP_E_MACHINE},
        {"machine", "[]", VMCP_E_MACHINE},
        {"machine", "{}", VMCP_E_MACHINE},
        {"machine", "{\"name\":\"n\",\"secret\":\"s\",\"cpus\":\"2\"}", VMCP_E_MACHINE},
        {"machine", "{\"name\":\"n\",\"secret\":\"s\",\"ApiPort\":2}", VMCP_E_MACHINE},
        {"machine", "{\"name\":\"n\",\"secret\":\"s\",\"on\":true}", VMCP_E_MACHINE},
        {"machine", "{\"name\":\"n\",\"secret\":\"s\",\"zone\":\"unknown is warned of\"}", VMCP_OK},
        {"gce", "[]", VMCP_E_CLAIMS},
        {"gce", "null", VMCP_E_CLAIMS},
        {"gce", "{}", VMCP_OK},
        {"count", "1", VMCP_OK},
        {"count", "1000", VMCP_OK},
        {"count", "0", VMCP_E_CLAIMS},
        {"count", "1001", VMCP_E_CLAIMS},
        {"count", "-1", VMCP_E_CLAIMS},
        {"count", "\"1\"", VMCP_E_CLAIMS},
        {"count", "true", VMCP_E_CLAIMS},
        {"count", "null", VMCP_E_CLAIMS},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        char row[128];
        snprintf(row, sizeof(row), "%s: %s", rows[i].claim ? rows[i].claim : "",
                 rows[i].value ? rows[i].value : "(absent)");
        if (rows[i].code)
            assert_code(row, with_claim(rows[i].claim, rows[i].value, &err), err, rows[i].code);
        else
            assert_good(row, with_claim(rows[i].claim, rows[i].value, &err), err);
    }
}

static void the_clock_and_the_skew(void **state)
{
    (void)state;
    static const struct {
        int64_t now;
        int skew;
        enum vmcp_code code;
    } rows[] = {
        {NOW, 0, VMCP_OK},
        {NOW + 300, 0, VMCP_OK},
        {NOW + 301, 0, VMCP_E_EXPIRED},
        {NOW - 1, 0, VMCP_E_NOT_YET_VALID},
        {NOW + 600, 300, VMCP_OK},
        {NOW + 601, 300, VMCP_E_EXPIRED},
        {NOW - 300, 300, VMCP_OK},
        {NOW - 301, 300, VMCP_E_NOT_YET_VALID},
        {0, 3600, VMCP_E_NOT_YET_VALID},
        {INT64_MAX / 2, 3600, VMCP_E_EXPIRED},
    };
    auto_trust struct vmcp_trust *trust = trust_in("ed25519");
    auto_free char *payload = payload_with(NULL, NULL);
    auto_free char *token = unit_token(unit_key("ed25519"), "EdDSA", header, payload);
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        char row[64];
        struct vmcp_expect e = expectation(trust);
        e.now = rows[i].now;
        e.skew = rows[i].skew;
        snprintf(row, sizeof(row), "now %+lld, skew %d", (long long)(e.now - NOW), e.skew);
        if (rows[i].code)
            assert_code(row, verify(token, &e, &err), err, rows[i].code);
        else
            assert_good(row, verify(token, &e, &err), err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims),
        cmocka_unit_test(the_clock_and_the_skew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
