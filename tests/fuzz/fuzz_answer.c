/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that decides whether an answer is good. The first line of the input says what
 * the rest is: "raw1" and "raw2" an answer as it came; "v2" a header and a payload, one a line, to
 * be signed by a key that is trusted; "v1" parameters to be signed likewise, which then must not
 * fail for the signature's sake. So the fuzzer gets behind the signature. */
#include "fuzz.h"

#include "lib/answer.h"
#include "lib/base64.h"
#include "lib/json.h"
#include "lib/v1.h"

#define DOMAIN "cfg.example.org"
#define HOSTID "0123456789abcdef"
#define SALT   "Salt-1"

enum { NOW = 1700000000 };

static struct vmcp_expect expectation(enum vmcp_format format)
{
    static struct vmcp_trust *set;
    struct vmcp_error err = {0};
    if (!set)
        fuzz_check(vmcp_trust_new(DOMAIN, &set, &err) == 0 &&
                   vmcp_trust_add_key(set, fuzz_key("ed25519"), &err) == 0 &&
                   vmcp_trust_add_key(set, fuzz_key("rsa-2048"), &err) == 0);
    return (struct vmcp_expect){.format = format,
                                .trust = set,
                                .domain = DOMAIN,
                                .machine = "web",
                                .hostid = HOSTID,
                                .salt = SALT,
                                .min_serial = 5,
                                .now = NOW,
                                .skew = 300,
                                .complete = true};
}

static enum vmcp_code decide(enum vmcp_format format, const char *text, size_t len)
{
    struct vmcp_error err = {0};
    auto_answer struct vmcp_answer a = {0};
    struct vmcp_expect e = expectation(format);
    if (format == VMCP_FORMAT_V1)
        e.name = "web";
    if (fuzz_told(vmcp_answer_verify(text, len, &e, &a, &err), &err) < 0) {
        fuzz_check(!a.params && !a.gce);
        return err.code;
    }
    fuzz_check(json_string_length(json_object_get(a.params, "name")) > 0);
    fuzz_check(json_string_length(json_object_get(a.params, "secret")) > 0);
    fuzz_check(!json_object_get(a.params, "signature") || format == VMCP_FORMAT_V2);
    fuzz_check(a.count >= 1 && strlen(a.thumbprint) == VMCP_THUMBPRINT_LEN);
    if (format == VMCP_FORMAT_V2)
        fuzz_check(strcmp(a.domain, DOMAIN) == 0 && strcmp(a.machine, "web") == 0 &&
                   a.serial >= 5 && a.iat <= NOW + 300 && a.exp >= NOW - 300);
    return VMCP_OK;
}

static char *token(const char *header, const char *payload)
{
    struct vmcp_error err = {0};
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t h = strlen(header), p = strlen(payload), sig_len = 0;
    char *text =
        malloc(VMCP_BASE64_CHARS(h) + VMCP_BASE64_CHARS(p) + VMCP_BASE64_CHARS(sizeof(sig)) + 3);
    size_t n = vmcp_base64_encode(VMCP_BASE64_URL, header, h, text);
    text[n++] = '.';
    n += vmcp_base64_encode(VMCP_BASE64_URL, payload, p, text + n);
    fuzz_check(
        vmcp_sign(fuzz_key("ed25519"), vmcp_alg_find("EdDSA"), text, n, sig, &sig_len, &err) == 0);
    text[n++] = '.';
    vmcp_base64_encode(VMCP_BASE64_URL, sig, sig_len, text + n);
    return text;
}

static void try_v1(const char *params)
{
    struct vmcp_error err = {0};
    json_auto_t *value = NULL;
    auto_v1_draft struct vmcp_v1_draft draft = {0};
    auto_free char *text = NULL;
    if (vmcp_json_parse_object(params, strlen(params), &value, &err) < 0 ||
        json_object_get(value, "signature") || vmcp_v1_draft_make(value, &draft, &err) < 0)
        return;
    fuzz_check(vmcp_v1_sign(&draft, SALT, fuzz_key("rsa-2048"), &text, &err) == 0);
    fuzz_check(decide(VMCP_FORMAT_V1, text, strlen(text)) != VMCP_E_SIGNATURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = fuzz_string(data, size);
    char *rest = text;
    const char *mode = fuzz_line(&rest);
    if (strcmp(mode, "v2") == 0) {
        const char *header = fuzz_line(&rest);
        auto_free char *signed_text = token(header, rest);
        decide(VMCP_FORMAT_V2, signed_text, strlen(signed_text));
    } else if (strcmp(mode, "v1") == 0) {
        try_v1(rest);
    } else {
        enum vmcp_format format =
            mode[0] && mode[strlen(mode) - 1] == '1' ? VMCP_FORMAT_V1 : VMCP_FORMAT_V2;
        fuzz_check(decide(format, rest, size - (size_t)(rest - text)) != VMCP_OK);
    }
    return 0;
}
