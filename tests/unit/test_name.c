/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/name.h"

typedef int (*check)(const char *s, size_t len, struct vmcp_error *err);

/* Each byte on its own, and each behind and before good ones. */
static void alphabet_is(check is_good, enum vmcp_code code, const char *alphabet, bool dash_first)
{
    struct vmcp_error err;
    for (int c = 0; c < 256; c++) {
        bool listed = c && strchr(alphabet, c);
        char one[1] = {(char)c}, inside[3] = {'a', (char)c, 'a'}, last[2] = {'a', (char)c};
        char row[8];
        snprintf(row, sizeof(row), "0x%02x", c);
        if (listed && (c != '-' || dash_first))
            assert_good(row, is_good(one, 1, &err), err);
        else
            assert_code(row, is_good(one, 1, &err), err, code);
        if (listed) {
            assert_good(row, is_good(inside, 3, &err), err);
            assert_good(row, is_good(last, 2, &err), err);
        } else {
            assert_code(row, is_good(inside, 3, &err), err, code);
            assert_code(row, is_good(last, 2, &err), err, code);
        }
    }
}

static void length_is(check is_good, enum vmcp_code code, size_t max)
{
    struct vmcp_error err;
    auto_free char *s = malloc(max + 1);
    memset(s, 'a', max + 1);
    assert_code("empty", is_good("", 0, &err), err, code);
    assert_good("1", is_good(s, 1, &err), err);
    assert_good("max", is_good(s, max, &err), err);
    assert_code("max + 1", is_good(s, max + 1, &err), err, code);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void salts_and_host_ids(void **state)
{
    (void)state;
    alphabet_is(vmcp_salt_check, VMCP_E_SALT_MALFORMED, LOWER UPPER "-", true);
    length_is(vmcp_salt_check, VMCP_E_SALT_MALFORMED, 256);
    alphabet_is(vmcp_hostid_check, VMCP_E_HOSTID_MALFORMED, LOWER UPPER "-", true);
    length_is(vmcp_hostid_check, VMCP_E_HOSTID_MALFORMED, 256);
}

/* What a forger would send; and a message never repeats it. */
static void salts_that_would_forge(void **state)
{
    (void)state;
    struct vmcp_error err;
    static const char forged[] = "zone=evil\nabc";
    assert_code("", vmcp_salt_check(forged, strlen(forged), &err), err, VMCP_E_SALT_MALFORMED);
    assert_null(strstr(err.text, "evil"));
    assert_non_null(strstr(err.text, "character 5 is 0x3d"));
    assert_code("", vmcp_salt_check("abc\0def", 7, &err), err, VMCP_E_SALT_MALFORMED);
    assert_non_null(strstr(err.text, "character 4 is 0x00"));
    assert_good("", vmcp_salt_check("abc\0def", 3, &err), err); /* the length is what counts */
}

static void machine_names(void **state)
{
    (void)state;
    struct vmcp_error err;
    alphabet_is(vmcp_machine_name_check, VMCP_E_NAME_MALFORMED, LOWER "-", false);
    length_is(vmcp_machine_name_check, VMCP_E_NAME_MALFORMED, 63);
    assert_good("", vmcp_machine_name_check("0-", 2, &err), err);
    assert_code("", vmcp_machine_name_check("-a", 2, &err), err, VMCP_E_NAME_MALFORMED);
    assert_code("", vmcp_machine_name_check("a\0b", 3, &err), err, VMCP_E_NAME_MALFORMED);
}

static void domains(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost",
                                       "a",
                                       "cfg.example.org",
                                       "1.2.3.4",
                                       "x-1.y--z.org",
                                       "::1",
                                       "fe80::1",
                                       "2001:db8::1",
                                       "3com.com",
                                       "::ffff:127.0.0.1",
                                       "xn--caf-dma.example"};
    static const char *const bad[] = {"",
                                      ".",
                                      "a.",
                                      ".a",
                                      "a..b",
                                      "-a",
                                      "a-",
                                      "a-.b",
                                      "a.-b",
                                      "A",
                                      "Cfg.org",
                                      "a b",
                                      "a_b",
                                      "a/b",
                                      "a:80",
                                      "[::1]",
                                      "caf\xc3\xa9.org",
                                      "a\nb",
                                      "a\"b",
                                      "localhost:8080",
                                      "http://a"};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(good); i++)
        assert_good(good[i], vmcp_domain_check(good[i], strlen(good[i]), &err), err);
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], vmcp_domain_check(bad[i], strlen(bad[i]), &err), err,
                    VMCP_E_DOMAIN_MALFORMED);
    assert_code("NUL", vmcp_domain_check("a\0b", 3, &err), err, VMCP_E_DOMAIN_MALFORMED);
}

static void lengths_of_domains(void **state)
{
    (void)state;
    struct vmcp_error err;
    char name[300];
    memset(name, 'a', sizeof(name));
    assert_good("label 63", vmcp_domain_check(name, 63, &err), err);
    assert_code("label 64", vmcp_domain_check(name, 64, &err), err, VMCP_E_DOMAIN_MALFORMED);
    for (size_t i = 63; i < sizeof(name); i += 64)
        name[i] = '.';
    assert_good("253", vmcp_domain_check(name, 253, &err), err);
    assert_code("254", vmcp_domain_check(name, 254, &err), err, VMCP_E_DOMAIN_MALFORMED);
}

/* 10,000 salts of 64: each of the 63 characters about 10,159 times. Six standard deviations (100)
 * are exceeded by chance once in ten million runs. */
static void salts_are_made(void **state)
{
    (void)state;
    struct vmcp_error err;
    size_t seen[256] = {0};
    char first[VMCP_SALT_LEN + 1] = "", salt[VMCP_SALT_LEN + 1];
    for (int i = 0; i < 10000; i++) {
        assert_good("", vmcp_salt_make(salt, &err), err);
        assert_int_equal(strlen(salt), 64);
        assert_good(salt, vmcp_salt_check(salt, strlen(salt), &err), err);
        assert_string_not_equal(salt, first);
        memcpy(first, salt, sizeof(first));
        for (size_t k = 0; k < VMCP_SALT_LEN; k++)
            seen[(unsigned char)salt[k]]++;
    }
    for (const char *c = LOWER UPPER "-"; *c; c++)
        assert_in_range(seen[(unsigned char)*c], 10159 - 600, 10159 + 600);
}

/* sha256("0123456789abcdef|cfg.example.org"), as `printf … | sha256sum` computes it. */
static void host_ids_are_made(void **state)
{
    (void)state;
    struct vmcp_error err;
    char id[VMCP_HOSTID_LEN + 1], other[VMCP_HOSTID_LEN + 1], longest[600];
    assert_good("", vmcp_hostid_make("0123456789abcdef", "cfg.example.org", id, &err), err);
    assert_string_equal(id, "b0287b60c5f988b095d4c8e8ca09a814d3ae87cd85636a4d3305b773d7484df0");
    assert_good("", vmcp_hostid_make("0123456789abcdef", "other.example.org", other, &err), err);
    assert_string_not_equal(id, other);
    memset(longest, 'a', sizeof(longest));
    longest[VMCP_DOMAIN_MAX] = '\0';
    assert_good("", vmcp_hostid_make(longest + 1, longest, id, &err), err);
    longest[VMCP_DOMAIN_MAX] = 'a';
    longest[sizeof(longest) - 1] = '\0';
    assert_code("", vmcp_hostid_make(longest, "a", id, &err), err, VMCP_E_LIMIT);
}

/* RFC 9562, section 5.4. */
static void uuids_are_made(void **state)
{
    (void)state;
    struct vmcp_error err;
    char a[VMCP_JTI_LEN + 1], b[VMCP_JTI_LEN + 1];
    for (int i = 0; i < 1000; i++) {
        assert_good("", vmcp_uuid_make(a, &err), err);
        assert_int_equal(strlen(a), 36);
        for (size_t k = 0; k < 36; k++)
            assert_row(a, (k == 8 || k == 13 || k == 18 || k == 23)
                              ? a[k] == '-'
                              : strchr("0123456789abcdef", a[k]) != NULL);
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_string_not_equal(a, i ? b : "");
        memcpy(b, a, sizeof(b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salts_and_host_ids), cmocka_unit_test(salts_that_would_forge),
        cmocka_unit_test(machine_names),      cmocka_unit_test(domains),
        cmocka_unit_test(lengths_of_domains), cmocka_unit_test(salts_are_made),
        cmocka_unit_test(host_ids_are_made),  cmocka_unit_test(uuids_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
