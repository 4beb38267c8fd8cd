/* SPDX-License-Identifier: Apache-2.0 */
#include "requestid.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* The name space of these ids: made once, at random, and the same for ever. */
static const uint8_t space[16] = {0x5e, 0x0b, 0x1c, 0x86, 0x3d, 0x2f, 0x4a, 0x91,
                                  0x9c, 0x57, 0xe2, 0x18, 0x40, 0xd3, 0x7a, 0x6b};

int launch_request_id(const struct launch_job_name *name, int64_t schedule_ms, int number,
                      char ret[static VMCP_JTI_LEN + 1], struct vmcp_error *err)
{
    uint8_t text[sizeof(space) + VMCP_DOMAIN_MAX + VMCP_NAME_MAX + 64], d[EVP_MAX_MD_SIZE];
    memcpy(text, space, sizeof(space));
    /* No domain and no name has a slash in it: two attempts never make the same text. */
    int n = snprintf((char *)text + sizeof(space), sizeof(text) - sizeof(space), "%s/%s/%lld/%d",
                     name->domain, name->job, (long long)schedule_ms, number);
    if (n < 0 || (size_t)n >= sizeof(text) - sizeof(space))
        return vmcp_fail(err, VMCP_E_INTERNAL, "a domain or job name is too long");
    if (EVP_Digest(text, sizeof(space) + (size_t)n, d, NULL, EVP_sha1(), NULL) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "SHA-1 failed");
    d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
    d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
    snprintf(ret, VMCP_JTI_LEN + 1,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
             d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
             d[15]);
    return 0;
}
