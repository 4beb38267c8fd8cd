/* SPDX-License-Identifier: Apache-2.0 */
#include "fingerprint.h"

#include <openssl/sha.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/base64.h"

enum { BYTES = 8 };

json_t *emu_fingerprint(const json_t *value)
{
    auto_free char *text =
        value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : strdup("");
    if (!text)
        return NULL;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char chars[VMCP_BASE64_CHARS(BYTES) + 1];
    SHA256((const unsigned char *)text, strlen(text), digest);
    vmcp_base64_encode(VMCP_BASE64_PADDED, digest, BYTES, chars);
    return json_string(chars);
}

static char plain(char c)
{
    return c == '-' ? '+' : c == '_' ? '/' : c;
}

bool emu_fingerprint_is(const json_t *given, const json_t *current)
{
    const char *a = json_string_value(given), *b = json_string_value(current);
    if (!a || !b || strlen(a) != strlen(b))
        return false;
    while (*a && plain(*a) == plain(*b)) {
        a++;
        b++;
    }
    return *a == '\0';
}
