/* SPDX-License-Identifier: Apache-2.0 */
/* macro.h - ${vmcp.…} in the string values of a machine file.
 *
 * All macros live in the one name space `vmcp.`, so that shell scripts (${HOME}) and VMCP's own
 * client-side macros (${name}) pass untouched. `$${vmcp.` is a literal `${vmcp.`. One pass: what
 * was inserted is not scanned again.
 */
#ifndef VMCP_MACRO_H
#define VMCP_MACRO_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "error.h"
#include "limits.h"

enum vmcp_macro {
    VMCP_MACRO_HOSTID = 1, /* the asker's host id */
    VMCP_MACRO_SALT = 2,   /* the asker's salt */
    VMCP_MACRO_UUID = 4,   /* a random UUID, the same throughout one answer */
    VMCP_MACRO_NOW = 8,    /* the time of the answer, RFC 3339, UTC */
    VMCP_MACRO_HMAC = 16,  /* ${vmcp.hmac.LABEL}: a value of its own for each host id */
};

/* What macros become. All borrowed. */
struct vmcp_macro_values {
    const char *domain, *machine, *hostid, *salt;
    char uuid[VMCP_JTI_LEN + 1];
    int64_t now;           /* seconds since 1970 */
    const uint8_t *secret; /* of ${vmcp.hmac.…}; NULL: none */
    size_t secret_len;
};

/* Read the secret of ${vmcp.hmac.…} from a private file (file.h): at least VMCP_SECRET_MIN bytes.
 * `out` is the caller's, VMCP_BUF(VMCP_SECRET_MAX), to be wiped. Errors: VMCP_E_FILE,
 * VMCP_E_FILE_MODE, VMCP_E_LIMIT. */
VMCP_MUST_CHECK int vmcp_macro_read_secret(const char *path, struct vmcp_buf *out,
                                           struct vmcp_error *err);

/* Find the macros of `s`; those not in `allowed` and unknown ones are VMCP_E_MACRO. Adds the bits
 * of those found to *used. */
VMCP_MUST_CHECK int vmcp_macro_scan(const char *s, unsigned allowed, unsigned *used,
                                    struct vmcp_error *err);

/* Append `s` with its macros replaced. Errors: VMCP_E_MACRO, VMCP_E_HOSTID_REQUIRED. */
VMCP_MUST_CHECK int vmcp_macro_expand(const char *s, const struct vmcp_macro_values *values,
                                      struct vmcp_buf *out, struct vmcp_error *err);

/* A copy of `value` with the macros of every string value replaced, keys left alone. *ret is a new
 * reference. */
VMCP_MUST_CHECK int vmcp_macro_expand_json(const json_t *value,
                                           const struct vmcp_macro_values *values, json_t **ret,
                                           struct vmcp_error *err);

#endif
