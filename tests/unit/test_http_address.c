/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "http/address.h"
#include "http/forwarded.h"
#include "http/rates.h"

static struct http_address address(const char *text)
{
    struct http_address a = {0};
    assert_true(http_address_parse(text, strlen(text), &a));
    return a;
}

static void parses_what_proxies_write(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"192.0.2.1", "192.0.2.1"},           {"192.0.2.1:80", "192.0.2.1"},
        {"2001:DB8::1", "2001:db8::1"},       {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"}, {"::ffff:192.0.2.1", "192.0.2.1"},
    };
    for (size_t i = 0; i < UNIT_COUNT(same); i++) {
        char text[HTTP_ADDRESS_TEXT];
        struct http_address a = address(same[i][0]);
        http_address_text(&a, text);
        assert_string_equal(text, same[i][1]);
    }
    static const char *const bad[] = {"",           "unknown",     "_hidden",         "192.0.2",
                                      "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "[192.0.2.1]",
                                      "[::1",       "[::1]x",      "::1%lo",          "192.0.2.1 "};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct http_address a = {0};
        if (http_address_parse(bad[i], strlen(bad[i]), &a))
            fail_msg("%s was taken", bad[i]);
    }
    struct http_address a;
    assert_false(http_address_parse("192.0.2.1\0x", 11, &a));
}

static void a_group_is_a_slash_64(void **state)
{
    (void)state;
    struct http_address a = address("2001:db8::1"), b = address("2001:db8::2:3:4:5"),
                        c = address("2001:db8:0:1::1"), d = address("192.0.2.1"),
                        e = address("192.0.2.2");
    struct http_address ga = http_address_group(&a), gb = http_address_group(&b),
                        gc = http_address_group(&c), gd = http_address_group(&d),
                        ge = http_address_group(&e);
    assert_true(http_address_equal(&ga, &gb));
    assert_false(http_address_equal(&ga, &gc));
    assert_false(http_address_equal(&gd, &ge));
    assert_true(http_address_hash(&ga, 7) == http_address_hash(&gb, 7));
    assert_true(http_address_hash(&gd, 7) != http_address_hash(&ge, 7));
}

static void blocks_contain(void **state)
{
    (void)state;
    static const struct {
        const char *cidr, *in, *out;
    } rows[] = {
        {"10.0.0.0/8", "10.255.0.1", "11.0.0.1"},
        {"10.1.2.0/23", "10.1.3.255", "10.1.4.0"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.1/32", "::ffff:192.0.2.1", "192.0.2.0"},
        {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::/0", "2001:db8::1", NULL},
        {"::1", "::1", "::2"},
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct http_cidr cidr;
        assert_good(rows[i].cidr, http_cidr_parse(rows[i].cidr, &cidr, &err), err);
        struct http_address in = address(rows[i].in), nobody = {0};
        assert_true(http_cidr_contains(&cidr, &in));
        assert_false(http_cidr_contains(&cidr, &nobody));
        if (rows[i].out) {
            struct http_address out = address(rows[i].out);
            assert_false(http_cidr_contains(&cidr, &out));
        }
    }
    static const char *const bad[] = {
        "",      "10.0.0.0/33",    "10.0.0.0/",  "10.0.0.1/8",  "10.0.0.0/8 ",
        "/8",    "2001:db8::/129", "fe80::1/64", "example.org", "10.0.0.0/-1",
        "[::1]", "10.0.0.0/0008"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct http_cidr cidr;
        assert_code(bad[i], http_cidr_parse(bad[i], &cidr, &err), err, VMCP_E_USAGE);
    }
}

static void unix_peers_are_a_block_of_their_own(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct http_cidr cidr;
    struct http_address nobody = {0}, some = address("192.0.2.1");
    assert_good("unix", http_cidr_parse("unix", &cidr, &err), err);
    assert_true(http_cidr_contains(&cidr, &nobody));
    assert_false(http_cidr_contains(&cidr, &some));
}

/* Proxies are 10.0.0.0/8 and fd00::/8. */
static void the_client_behind_proxies(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *xff, *forwarded, *client;
    } rows[] = {
        {"192.0.2.9", "198.51.100.1", NULL, "192.0.2.9"}, /* not a proxy: not believed */
        {"192.0.2.9", NULL, "for=198.51.100.1", "192.0.2.9"},
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", NULL, "198.51.100.1"},
        {"10.0.0.1", "1.1.1.1, 198.51.100.1", NULL, "198.51.100.1"}, /* the left one is forged */
        {"10.0.0.1", "1.1.1.1, 198.51.100.1,10.0.0.2", NULL, "198.51.100.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        {"10.0.0.1", "198.51.100.1, nonsense", NULL, "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", NULL, "10.0.0.2"},
        {"10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1,", NULL, "10.0.0.1"},
        {"10.0.0.1", "2001:db8::1", NULL, "2001:db8::1"},
        {"10.0.0.1", NULL, "for=198.51.100.1;proto=https;by=10.0.0.1", "198.51.100.1"},
        {"10.0.0.1", NULL, "For=\"[2001:db8::1]:4711\"", "2001:db8::1"},
        {"10.0.0.1", NULL, "for=1.1.1.1, proto=http; for=198.51.100.1 , for=\"[fd00::5]\"",
         "198.51.100.1"},
        {"10.0.0.1", NULL, "for=unknown", "10.0.0.1"},
        {"10.0.0.1", NULL, "proto=https", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "for=198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "198.51.100.1", "for=203.0.113.5", "10.0.0.1"}, /* one of them is forged */
    };
    struct vmcp_error err;
    struct http_trusted trusted = {.count = 2};
    assert_good("", http_cidr_parse("10.0.0.0/8", &trusted.items[0], &err), err);
    assert_good("", http_cidr_parse("fd00::/8", &trusted.items[1], &err), err);
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct http_address peer = address(rows[i].peer), want = address(rows[i].client);
        struct http_address got =
            http_forwarded_client(&trusted, &peer, rows[i].xff, rows[i].forwarded);
        char text[HTTP_ADDRESS_TEXT];
        http_address_text(&got, text);
        if (!http_address_equal(&got, &want))
            fail_msg("row %zu: %s, not %s", i, text, rows[i].client);
    }
}

static const int64_t second = 1000000000;

static void a_bucket_empties_and_fills(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct http_rates *rates = NULL;
    assert_good("", http_rates_new(2, 10, &rates, &err), err);
    struct http_address a = address("192.0.2.1"), b = address("192.0.2.2");
    int64_t now = 1000 * second;
    int retry = 0;
    for (int i = 0; i < 10; i++)
        assert_true(http_rates_take(rates, &a, now, &retry));
    assert_false(http_rates_take(rates, &a, now, &retry));
    assert_int_equal(retry, 1);
    assert_true(http_rates_take(rates, &b, now, &retry)); /* the others are still served */
    assert_false(http_rates_take(rates, &a, now + second / 2 - 1, &retry));
    assert_true(http_rates_take(rates, &a, now + second / 2, &retry)); /* two a second */
    assert_false(http_rates_take(rates, &a, now + second / 2, &retry));
    for (int i = 0; i < 10; i++) /* full again, and no fuller */
        assert_true(http_rates_take(rates, &a, now + 100 * second, &retry));
    assert_false(http_rates_take(rates, &a, now + 100 * second, &retry));
    http_rates_free(rates);
}

static void retry_after_is_when_it_helps(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct http_rates *rates = NULL;
    assert_good("", http_rates_new(1, 1, &rates, &err), err);
    struct http_address a = address("192.0.2.1");
    int retry = 0;
    assert_true(http_rates_take(rates, &a, 50 * second, &retry));
    assert_false(http_rates_take(rates, &a, 50 * second + 1, &retry));
    assert_int_equal(retry, 1);
    assert_true(http_rates_take(rates, &a, 51 * second + 1, &retry));
    http_rates_free(rates);
}

/* More addresses than the table has places: whoever is over the limit stays over it. */
static void many_addresses_do_not_free_one(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct http_rates *rates = NULL;
    assert_good("", http_rates_new(1, 100, &rates, &err), err);
    struct http_address a = address("192.0.2.1");
    int retry = 0;
    for (int i = 0; i < 100; i++)
        assert_true(http_rates_take(rates, &a, second, &retry));
    for (uint32_t i = 0; i < 100000; i++) {
        struct http_address other = address("10.0.0.0");
        memcpy(other.bytes + 13, &i, 3);
        assert_true(http_rates_take(rates, &other, second, &retry));
    }
    assert_false(http_rates_take(rates, &a, second, &retry));
    http_rates_free(rates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_proxies_write),
        cmocka_unit_test(a_group_is_a_slash_64),
        cmocka_unit_test(blocks_contain),
        cmocka_unit_test(unix_peers_are_a_block_of_their_own),
        cmocka_unit_test(the_client_behind_proxies),
        cmocka_unit_test(a_bucket_empties_and_fills),
        cmocka_unit_test(retry_after_is_when_it_helps),
        cmocka_unit_test(many_addresses_do_not_free_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
