/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - whom a connection comes from, as limits count it.
 *
 * IPv4 addresses are kept in their IPv4-mapped form (RFC 4291, section 2.5.5.2), so that one
 * comparison is enough and `::ffff:192.0.2.1` is no second identity. A Unix socket's peer has no
 * address: it is unknown, and equal to every other one of its kind.
 *
 *     struct http_cidr proxies;
 *     if (http_cidr_parse("10.0.0.0/8", &proxies, &err) < 0) ...
 *     if (http_cidr_contains(&proxies, &address)) ...
 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/error.h"

struct http_address {
    uint8_t bytes[16]; /* network order; zeros while not known */
    bool known;
};

enum { HTTP_ADDRESS_TEXT = 48 };

/* Of a socket's address; NULL, or a family without addresses: unknown. */
void http_address_of(const struct sockaddr *from, struct http_address *ret);

/* An address as proxies write it: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1],
 * [2001:db8::1]:80. False, and *ret untouched, for anything else. */
bool http_address_parse(const char *text, size_t len, struct http_address *ret);

/* What a limit counts: the address of IPv4, the /64 of IPv6 (whoever has one address of it has them
 * all). */
struct http_address http_address_group(const struct http_address *address);

/* What belongs together beyond that: the /48 of IPv6. */
struct http_address http_address_block(const struct http_address *address);

/* Known, and not IPv4. */
bool http_address_is_v6(const struct http_address *address);
/* 127.0.0.0/8 or ::1 */
bool http_address_is_loopback(const struct http_address *address);
bool http_address_equal(const struct http_address *a, const struct http_address *b);
/* A hash that nobody outside can steer, for `seed` is random. */
uint64_t http_address_hash(const struct http_address *address, uint64_t seed);
/* In its usual form, "unix" if it is not known. */
void http_address_text(const struct http_address *address, char ret[static HTTP_ADDRESS_TEXT]);

/* A block of addresses. */
struct http_cidr {
    struct http_address base;
    unsigned bits; /* of the 128 */
    bool unix_peers;
};

/* "10.0.0.0/8", "2001:db8::/32", a single address, or "unix" for peers on Unix sockets. Bits below
 * the mask are an error: it would not be clear what was meant. Errors: VMCP_E_USAGE. */
VMCP_MUST_CHECK int http_cidr_parse(const char *text, struct http_cidr *ret,
                                    struct vmcp_error *err);
bool http_cidr_contains(const struct http_cidr *cidr, const struct http_address *address);

#endif
