/* SPDX-License-Identifier: Apache-2.0 */
/* Macros: what scans well expands, and text without them stays as it is. */
#include "fuzz.h"

#include "lib/buf.h"
#include "lib/macro.h"

enum {
    ALL = VMCP_MACRO_HOSTID | VMCP_MACRO_SALT | VMCP_MACRO_UUID | VMCP_MACRO_NOW | VMCP_MACRO_HMAC
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vmcp_macro_values values = {.domain = "cfg.example.org",
                                                    .machine = "web",
                                                    .hostid = "host-${vmcp.salt}",
                                                    .salt = "Salt-1",
                                                    .uuid = "b4f7f0a6-0000-4000-8000-000000000000",
                                                    .now = 1700000000,
                                                    .secret = (const uint8_t *)"0123456789abcdef",
                                                    .secret_len = 16};
    struct vmcp_error err = {0}, err_again = {0};
    unsigned used = 0, narrow = 0;
    auto_buf struct vmcp_buf out = VMCP_BUF(64 * 1024 * 1024);
    auto_free char *text = fuzz_string(data, size);
    int scanned = fuzz_told(vmcp_macro_scan(text, ALL, &used, &err), &err);
    int expanded = fuzz_told(vmcp_macro_expand(text, &values, &out, &err_again), &err_again);
    fuzz_check((scanned < 0) == (expanded < 0));
    if (scanned < 0)
        return 0;
    fuzz_check((used & ~(unsigned)ALL) == 0);
    fuzz_check((vmcp_macro_scan(text, 0, &narrow, &err) == 0) == (used == 0));
    if (!strstr(text, "${vmcp."))
        fuzz_check(used == 0 && out.len == strlen(text) &&
                   (!out.len || memcmp(out.data, text, out.len) == 0));
    return 0;
}
