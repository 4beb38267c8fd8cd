/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys, PEM and DER: what is read is of a kind that we take, and the same when it is written
 * and read again. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    auto_key struct vmcp_key *key = NULL, *again = NULL;
    auto_free unsigned char *der = NULL;
    auto_free char *text = malloc(size ? size : 1);
    size_t len = 0;
    memcpy(text, size ? data : (const uint8_t *)"", size);
    if (fuzz_told(vmcp_key_parse_public(text, size, &key, &err), &err) < 0)
        return 0;
    fuzz_check(!vmcp_key_is_private(key));
    fuzz_check(vmcp_key_public_der(key, &der, &len, &err) == 0);
    fuzz_check(vmcp_key_parse_public((char *)der, len, &again, &err) == 0);
    fuzz_check(strcmp(vmcp_key_thumbprint(key), vmcp_key_thumbprint(again)) == 0);
    return 0;
}
