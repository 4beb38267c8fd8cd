/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of compact JWS: three parts, strict base64url, and nothing lost on the way. */
#include "fuzz.h"

#include "lib/base64.h"
#include "lib/jws.h"

/* What was decoded encodes to the same text: there is one text for each signature. */
static void is_canonical(const struct vmcp_jws *jws, const char *text, size_t len)
{
    auto_free char *again = malloc(VMCP_BASE64_CHARS(jws->signature_len) + 1);
    size_t n = vmcp_base64_encode(VMCP_BASE64_URL, jws->signature, jws->signature_len, again);
    fuzz_check(jws->signing_input == text && jws->signing_input_len + 1 + n == len);
    fuzz_check(memcmp(text + len - n, again, n) == 0);
    fuzz_check(memchr(text, '.', jws->signing_input_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    auto_jws struct vmcp_jws jws = {0};
    auto_free char *text = malloc(size ? size : 1);
    memcpy(text, size ? data : (const uint8_t *)"", size);
    if (fuzz_told(vmcp_jws_parse(text, size, NULL, &jws, &err), &err) < 0)
        return 0;
    fuzz_check(jws.alg && json_is_object(jws.header) && json_is_object(jws.payload));
    is_canonical(&jws, text, size);
    (void)fuzz_told(vmcp_jws_check(&jws, fuzz_key("ed25519"), &err), &err);
    return 0;
}
