/* SPDX-License-Identifier: Apache-2.0 */
#include "name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_salt_char(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-';
}

/* The message names the place and the byte's number, never the byte: what came in is hostile. */
static int check_salt_like(const char *s, size_t len, enum vmcp_code code, const char *what,
                           struct vmcp_error *err)
{
    if (len < 1 || len > VMCP_SALT_MAX)
        return vmcp_fail(err, code, "%s has %zu characters; 1 to %d are allowed", what, len,
                         VMCP_SALT_MAX);
    for (size_t i = 0; i < len; i++)
        if (!is_salt_char(s[i]))
            return vmcp_fail(err, code,
                             "%s: character %zu is 0x%02x; only A-Z a-z 0-9 and - are allowed",
                             what, i + 1, (unsigned char)s[i]);
    return 0;
}

int vmcp_salt_check(const char *s, size_t len, struct vmcp_error *err)
{
    return check_salt_like(s, len, VMCP_E_SALT_MALFORMED, "the salt", err);
}

int vmcp_hostid_check(const char *s, size_t len, struct vmcp_error *err)
{
    return check_salt_like(s, len, VMCP_E_HOSTID_MALFORMED, "the host id", err);
}

int vmcp_machine_name_check(const char *s, size_t len, struct vmcp_error *err)
{
    bool good = len >= 1 && len <= VMCP_NAME_MAX && s[0] != '-';
    for (size_t i = 0; good && i < len; i++)
        good = is_lower(s[i]) || is_digit(s[i]) || s[i] == '-';
    if (!good)
        return vmcp_fail(err, VMCP_E_NAME_MALFORMED,
                         "a machine's name is 1 to %d of a-z 0-9 -, and does not begin with -",
                         VMCP_NAME_MAX);
    return 0;
}

/* An IPv6 address in lower case, without brackets: `a:80` is none, but a host with a port. */
static bool is_ipv6(const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len >= sizeof(text))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(s[i]) && !(s[i] >= 'a' && s[i] <= 'f') && s[i] != ':' && s[i] != '.')
            return false;
        text[i] = s[i];
    }
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host_name(const char *s, size_t len)
{
    size_t label = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.') {
            if (label == 0 || s[i - 1] == '-')
                return false;
            label = 0;
        } else {
            bool good = is_lower(s[i]) || is_digit(s[i]) || (s[i] == '-' && label > 0);
            if (!good || ++label > 63)
                return false;
        }
    }
    return label > 0 && s[len - 1] != '-';
}

int vmcp_domain_check(const char *s, size_t len, struct vmcp_error *err)
{
    if (len < 1 || len > VMCP_DOMAIN_MAX || !(is_host_name(s, len) || is_ipv6(s, len)))
        return vmcp_fail(err, VMCP_E_DOMAIN_MALFORMED,
                         "a domain is a host name in lower case, like cfg.example.org, without "
                         "port or trailing dot");
    return 0;
}

static int random_bytes(uint8_t *out, size_t len, struct vmcp_error *err)
{
    if (getentropy(out, len) < 0)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random numbers to be had: %s", strerror(errno));
    return 0;
}

/* 63 characters do not divide 256: bytes from 252 up are thrown away, so that all are equally
 * likely. */
int vmcp_salt_make(char ret[static VMCP_SALT_LEN + 1], struct vmcp_error *err)
{
    static const char alphabet[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    const unsigned count = sizeof(alphabet) - 1;
    size_t n = 0;
    while (n < VMCP_SALT_LEN) {
        uint8_t bytes[VMCP_SALT_LEN];
        int rc = random_bytes(bytes, sizeof(bytes), err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < sizeof(bytes) && n < VMCP_SALT_LEN; i++)
            if (bytes[i] < 256 / count * count)
                ret[n++] = alphabet[bytes[i] % count];
    }
    ret[n] = '\0';
    return 0;
}

int vmcp_hostid_make(const char *local_id, const char *domain, char ret[static VMCP_HOSTID_LEN + 1],
                     struct vmcp_error *err)
{
    char text[VMCP_SALT_MAX + 1 + VMCP_DOMAIN_MAX + 1];
    int len = snprintf(text, sizeof(text), "%s|%s", local_id, domain);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    if (len < 0 || (size_t)len >= sizeof(text))
        return vmcp_fail(err, VMCP_E_LIMIT, "local id and domain are too long for a host id");
    if (EVP_Digest(text, (size_t)len, digest, &digest_len, EVP_sha256(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "SHA-256 is not available");
    vmcp_hex_encode(digest, digest_len, ret);
    return 0;
}

int vmcp_uuid_make(char ret[static VMCP_JTI_LEN + 1], struct vmcp_error *err)
{
    uint8_t b[16];
    int rc = random_bytes(b, sizeof(b), err);
    if (rc < 0)
        return rc;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* the RFC's variant */
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    const uint8_t *from = b;
    for (size_t i = 0; i < sizeof(groups); from += groups[i++]) {
        vmcp_hex_encode(from, groups[i], ret);
        ret += 2 * groups[i];
        *ret++ = '-';
    }
    ret[-1] = '\0';
    return 0;
}
