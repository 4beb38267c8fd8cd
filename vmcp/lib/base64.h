/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - base64 and base64url (RFC 4648, sections 4 and 5), strict.
 *
 * A decoder takes canonical text only: no white space, no bits after the end, padding exactly as
 * the alphabet's user wants it (base64: always; base64url: never, RFC 7515 section 2). Anything
 * else would give one signature several spellings.
 */
#ifndef VMCP_BASE64_H
#define VMCP_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum vmcp_base64 { VMCP_BASE64_PADDED, VMCP_BASE64_URL };

/* Characters needed for `len` bytes, and the most bytes that `chars` characters hold. */
#define VMCP_BASE64_CHARS(len)   (((len) + 2) / 3 * 4)
#define VMCP_BASE64_BYTES(chars) (((chars) + 3) / 4 * 3)

/* Encode into `out`, VMCP_BASE64_CHARS(len) + 1 bytes. Returns the characters written, without the
 * NUL that follows them. */
size_t vmcp_base64_encode(enum vmcp_base64 kind, const void *data, size_t len, char *out);

/* Decode into `out`, VMCP_BASE64_BYTES(chars) bytes. Errors: VMCP_E_ANSWER_MALFORMED, and *err says
 * at which character. */
VMCP_MUST_CHECK int vmcp_base64_decode(enum vmcp_base64 kind, const char *text, size_t chars,
                                       uint8_t *out, size_t *ret_len, struct vmcp_error *err);

/* Lower-case hex of `len` bytes into `out`, 2 * len + 1 bytes. */
void vmcp_hex_encode(const uint8_t *data, size_t len, char *out);

#endif
