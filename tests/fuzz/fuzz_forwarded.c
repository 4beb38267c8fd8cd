/* SPDX-License-Identifier: Apache-2.0 */
/* X-Forwarded-For in the first line, Forwarded in the second, a CIDR in the third: a peer that is
 * no trusted proxy is never believed. */
#include "fuzz.h"

#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    struct http_trusted trusted = {.count = 1};
    struct http_address peer = {0}, stranger = {0};
    struct http_cidr cidr = {0};
    char shown[HTTP_ADDRESS_TEXT];
    auto_free char *text = fuzz_string(data, size);
    char *rest = text;
    const char *x = fuzz_line(&rest), *forwarded = fuzz_line(&rest), *block = fuzz_line(&rest);
    fuzz_check(http_cidr_parse("10.0.0.0/8", &trusted.items[0], &err) == 0);
    fuzz_check(http_address_parse("10.0.0.1", 8, &peer));
    fuzz_check(http_address_parse("192.0.2.1", 9, &stranger));
    struct http_address client = http_forwarded_client(&trusted, &stranger, x, forwarded);
    fuzz_check(http_address_equal(&client, &stranger));
    client = http_forwarded_client(&trusted, &peer, *x ? x : NULL, *forwarded ? forwarded : NULL);
    fuzz_check(client.known);
    http_address_text(&client, shown);
    fuzz_check(http_address_parse(shown, strlen(shown), &peer) &&
               http_address_equal(&client, &peer));
    if (fuzz_told(http_cidr_parse(block, &cidr, &err), &err) == 0)
        fuzz_check(cidr.unix_peers || http_cidr_contains(&cidr, &cidr.base));
    return 0;
}
