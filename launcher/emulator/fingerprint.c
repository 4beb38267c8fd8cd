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
