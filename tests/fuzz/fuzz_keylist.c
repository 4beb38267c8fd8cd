/* SPDX-License-Identifier: Apache-2.0 */
/* The version 1 key list, signed by a root key whatever it says: what is accepted is what would be
 * written. */
#include "fuzz.h"

#include "lib/keylist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    uint8_t sig[VMCP_SIGNATURE_MAX], sig_again[VMCP_SIGNATURE_MAX];
    size_t len = 0, len_again = 0;
    auto_keylist struct vmcp_keylist list = {0};
    auto_free char *again = NULL;
    auto_free char *text = malloc(size ? size : 1);
    const struct vmcp_key *root = fuzz_key("rsa-2048");
    memcpy(text, size ? data : (const uint8_t *)"", size);
    fuzz_check(vmcp_sign(root, vmcp_alg_find("RS512"), text, size, sig, &len, &err) == 0);
    if (fuzz_told(vmcp_keylist_read(text, size, sig, len, root, &list, &err), &err) < 0)
        return 0;
    if (list.count == 0) {
        fuzz_check(size == 0);
        return 0;
    }
    fuzz_check(vmcp_keylist_sign(&list, root, &again, sig_again, &len_again, &err) == 0);
    size_t n = strlen(again); /* the last newline may be missing */
    fuzz_check((n == size || n == size + 1) && memcmp(again, text, size) == 0);
    return 0;
}
