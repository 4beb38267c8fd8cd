/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct http_address *a)
{
    return a->known && memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

static void set_v4(struct http_address *a, const struct in_addr *in)
{
    memcpy(a->bytes, mapped, sizeof(mapped));
    memcpy(a->bytes + sizeof(mapped), in, sizeof(*in));
    a->known = true;
}

void http_address_of(const struct sockaddr *from, struct http_address *ret)
{
    *ret = (struct http_address){0};
    if (from && from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof(in));
        set_v4(ret, &in.sin_addr);
    } else if (from && from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof(in6));
        memcpy(ret->bytes, &in6.sin6_addr, sizeof(ret->bytes));
        ret->known = true;
    }
}

static bool parse_plain(const char *text, struct http_address *ret)
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, text, &in) == 1) {
        set_v4(ret, &in);
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return false;
    memcpy(ret->bytes, &in6, sizeof(ret->bytes));
    ret->known = true;
    return true;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 5 && strspn(text, "0123456789") == len &&
           strtoul(text, NULL, 10) <= 65535;
}

bool http_address_parse(const char *text, size_t len, struct http_address *ret)
{
    char copy[64];
    if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (copy[0] == '[') {
        char *close = strchr(copy, ']');
        if (!close || (close[1] && (close[1] != ':' || !is_port(close + 2))))
            return false;
        *close = '\0';
        return strchr(copy, ':') && parse_plain(copy + 1, ret);
    }
    char *colon = strchr(copy, ':');
    if (colon && !strchr(colon + 1, ':')) { /* one colon: no IPv6 address has just one */
        if (!is_port(colon + 1))
            return false;
        *colon = '\0';
    }
    return parse_plain(copy, ret);
}

struct http_address http_address_group(const struct http_address *address)
{
    struct http_address group = *address;
    if (!is_v4(address))
        memset(group.bytes + 8, 0, 8);
    return group;
}

struct http_address http_address_block(const struct http_address *address)
{
    struct http_address block = *address;
    if (!is_v4(address))
        memset(block.bytes + 6, 0, 10);
    return block;
}

bool http_address_is_v6(const struct http_address *address)
{
    return address->known && !is_v4(address);
}

bool http_address_is_loopback(const struct http_address *address)
{
    static const uint8_t v6[16] = {[15] = 1};
    return address->known &&
           (is_v4(address) ? address->bytes[12] == 127 : memcmp(address->bytes, v6, 16) == 0);
}

bool http_address_equal(const struct http_address *a, const struct http_address *b)
{
    return a->known == b->known && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The finalizer of SplitMix64: every bit of the input moves half of the output's. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t http_address_hash(const struct http_address *address, uint64_t seed)
{
    uint64_t half[2];
    memcpy(half, address->bytes, sizeof(half));
    return mix(mix(half[0] ^ seed) + half[1] + (seed << 1));
}

void http_address_text(const struct http_address *address, char ret[static HTTP_ADDRESS_TEXT])
{
    if (!address->known)
        snprintf(ret, HTTP_ADDRESS_TEXT, "unix");
    else if (is_v4(address))
        inet_ntop(AF_INET, address->bytes + sizeof(mapped), ret, HTTP_ADDRESS_TEXT);
    else
        inet_ntop(AF_INET6, address->bytes, ret, HTTP_ADDRESS_TEXT);
}

static int no_cidr(const char *text, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_USAGE, text,
                        "not a block of addresses; one is like 10.0.0.0/8, 2001:db8::/32, "
                        "192.0.2.1 or unix");
}

static bool bits_are_zero_from(const struct http_address *a, unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        if (a->bytes[i / 8] & (0x80u >> (i % 8)))
            return false;
    return true;
}

int http_cidr_parse(const char *text, struct http_cidr *ret, struct vmcp_error *err)
{
    struct http_cidr cidr = {.bits = 128};
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (strcmp(text, "unix") == 0) {
        cidr.unix_peers = true;
        *ret = cidr;
        return 0;
    }
    if (len == 0 || len >= sizeof(address))
        return no_cidr(text, err);
    memcpy(address, text, len);
    address[len] = '\0';
    if (!parse_plain(address, &cidr.base))
        return no_cidr(text, err);
    if (slash) {
        unsigned most = is_v4(&cidr.base) && !strchr(address, ':') ? 32 : 128;
        size_t digits = strspn(slash + 1, "0123456789");
        if (digits == 0 || digits > 3 || slash[1 + digits] || strtoul(slash + 1, NULL, 10) > most)
            return no_cidr(text, err);
        cidr.bits = 128 - most + (unsigned)strtoul(slash + 1, NULL, 10);
    }
    if (!bits_are_zero_from(&cidr.base, cidr.bits))
        return vmcp_fail_at(err, VMCP_E_USAGE, text,
                            "has bits below its mask; write the first address of the block, or "
                            "the one address without a mask");
    *ret = cidr;
    return 0;
}

bool http_cidr_contains(const struct http_cidr *cidr, const struct http_address *address)
{
    if (cidr->unix_peers || !address->known)
        return cidr->unix_peers && !address->known;
    size_t whole = cidr->bits / 8;
    unsigned rest = cidr->bits % 8;
    if (memcmp(cidr->base.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((cidr->base.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}
