/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/clock.h"
#include "http/connections.h"

enum { PLACES = 40, EACH = 30 };

static struct http_connections table;
static int ends[1024]; /* the client's ends, by the server's descriptor */

static int begin(void **state)
{
    struct vmcp_error err = {0};
    (void)state;
    for (size_t i = 0; i < UNIT_COUNT(ends); i++)
        ends[i] = -1;
    return http_connections_start(&table, PLACES, &err);
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < UNIT_COUNT(ends); i++)
        if (ends[i] >= 0) {
            close(ends[i]);
            close((int)i);
        }
    http_connections_stop(&table);
    return 0;
}

/* A connection from that address (NULL: of a Unix socket) that libmicrohttpd has begun with. */
static struct http_connection *from(const char *text)
{
    int pair[2];
    struct http_connection *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true((size_t)pair[0] < UNIT_COUNT(ends));
    struct sockaddr_in *in = (struct sockaddr_in *)&c->peer;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&c->peer;
    if (text && inet_pton(AF_INET, text, &in->sin_addr) == 1)
        in->sin_family = AF_INET;
    else if (text && inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        in6->sin6_family = AF_INET6;
    else
        assert_null(text);
    c->is_spared = !text;
    c->fd = pair[0];
    ends[pair[0]] = pair[1];
    assert_true(http_connections_add(&table, c, text ? EACH : 0, 0));
    assert_ptr_equal(http_connections_started(&table, c->fd), c);
    return c;
}

static struct http_connection *waits(struct http_connection *c, int64_t ms)
{
    atomic_store(&c->waiting_since, http_now_ms() - ms);
    return c;
}

static struct http_connection *proven(struct http_connection *c)
{
    atomic_store(&c->proven, true);
    return c;
}

static bool is_open(const struct http_connection *c)
{
    char byte;
    return recv(ends[c->fd], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

static unsigned count_open(struct http_connection *const list[], size_t count)
{
    unsigned n = 0;
    for (size_t i = 0; i < count; i++)
        n += is_open(list[i]);
    return n;
}

/* Many addresses that hold one each do not make the largest honest one their victim. */
static void slow_ones_of_many_addresses_go_before_idle_ones_of_one(void **state)
{
    struct http_connection *nat[20], *slow[20];
    (void)state;
    for (int i = 0; i < 20; i++) {
        char text[32];
        nat[i] = waits(proven(from("192.0.2.1")), 9000 + i);
        snprintf(text, sizeof(text), "198.51.100.%d", i);
        slow[i] = waits(from(text), 2000 + 200 * i);
    }
    from("203.0.113.1");
    assert_int_equal(count_open(nat, 20), 20);
    assert_int_equal(count_open(slow, 20), 19);
    assert_false(is_open(slow[19])); /* the oldest of them */
}

/* 65,536 networks of one customer are one neighbour. */
static void networks_of_one_48_are_one(void **state)
{
    struct http_connection *honest[16], *many[24];
    (void)state;
    for (int i = 0; i < 16; i++)
        honest[i] = waits(from("2001:db8:ffff:1::1"), 9000);
    for (int i = 0; i < 24; i++) {
        char text[48];
        snprintf(text, sizeof(text), "2001:db8:1:%x::1", i);
        many[i] = waits(from(text), 2000);
    }
    from("203.0.113.1");
    assert_int_equal(count_open(honest, 16), 16);
    assert_true(count_open(many, 24) < 24);
}

static void a_boot_storm_is_no_attack(void **state)
{
    struct http_connection *nat[10], *others[30];
    (void)state;
    for (int i = 0; i < 30; i++) {
        char text[32];
        snprintf(text, sizeof(text), "198.51.100.%d", i);
        others[i] = waits(from(text), 800 - i);
    }
    for (int i = 0; i < 10; i++) /* a quarter of all places, new */
        nat[i] = waits(from("192.0.2.1"), 100);
    from("203.0.113.1");
    assert_int_equal(count_open(nat, 10), 10);
    assert_true(count_open(others, 30) < 30);
}

static void more_than_a_quarter_is(void **state)
{
    struct http_connection *flood[25], *others[15];
    (void)state;
    for (int i = 0; i < 15; i++) {
        char text[32];
        snprintf(text, sizeof(text), "198.51.100.%d", i);
        others[i] = waits(from(text), 800);
    }
    for (int i = 0; i < 25; i++)
        flood[i] = waits(from("192.0.2.1"), 100);
    from("203.0.113.1");
    assert_int_equal(count_open(others, 15), 15);
    assert_true(count_open(flood, 25) < 25);
}

static void answers_under_way_go_last_and_requests_never(void **state)
{
    struct http_connection *all[40];
    (void)state;
    for (int i = 0; i < 40; i++) {
        all[i] = waits(from("192.0.2.1"), 5000 - (i < 20 ? 0 : 1000));
        if (i < 10)
            atomic_store(&all[i]->waiting_since, 0); /* a request */
        else if (i < 20)
            atomic_store(&all[i]->answered, true);
        if (i == EACH - 1) /* its share: only from elsewhere now */
            break;
    }
    for (int i = EACH; i < 40; i++)
        all[i] = waits(from("192.0.2.2"), 10);
    for (int i = 0; i < 20; i++)
        waits(from("203.0.113.1"), 10);
    assert_int_equal(count_open(all, 20), 20);
}

static void proxies_and_unix_sockets_are_spared(void **state)
{
    struct http_connection *proxy[30], *others[10];
    (void)state;
    for (int i = 0; i < 30; i++)
        proxy[i] = waits(from(NULL), 9000);
    for (int i = 0; i < 10; i++)
        others[i] = waits(from("192.0.2.1"), 10);
    from("203.0.113.1");
    assert_int_equal(count_open(proxy, 30), 30);
    assert_int_equal(count_open(others, 10), 0); /* within a tenth of a second of the oldest */
}

/* But where there is nobody else, there is room all the same. */
static void spared_ones_give_way_to_each_other(void **state)
{
    struct http_connection *proxy[40];
    (void)state;
    for (int i = 0; i < 40; i++)
        proxy[i] = waits(from(NULL), 200 * i);
    from("203.0.113.1");
    assert_int_equal(count_open(proxy, 40), 39);
}

/* One address over its share pushes out itself. */
static void a_share_is_ones_own(void **state)
{
    struct http_connection *own[EACH], *other = waits(from("192.0.2.9"), 99000);
    (void)state;
    for (int i = 0; i < EACH; i++)
        own[i] = waits(from("192.0.2.1"), 9000 - 200 * i);
    from("192.0.2.1");
    assert_true(is_open(other));
    assert_false(is_open(own[0]));
    assert_int_equal(count_open(own, EACH), EACH - 1);
}

#define ONE(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(slow_ones_of_many_addresses_go_before_idle_ones_of_one),
        ONE(networks_of_one_48_are_one),
        ONE(a_boot_storm_is_no_attack),
        ONE(more_than_a_quarter_is),
        ONE(answers_under_way_go_last_and_requests_never),
        ONE(proxies_and_unix_sockets_are_spared),
        ONE(spared_ones_give_way_to_each_other),
        ONE(a_share_is_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
