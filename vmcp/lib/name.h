/* SPDX-License-Identifier: Apache-2.0 */
/* name.h - the names of the protocol: salts, host ids, machines, domains.
 *
 * All checks take a length and read nothing past it: a NUL inside is a wrong character.
 */
#ifndef VMCP_NAME_H
#define VMCP_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "limits.h"

/* cvm_salt and cvm_hostid: [A-Za-z0-9-]{1,256}. A wider salt would let its sender write further
 * parameters into the version 1 signed text. */
VMCP_MUST_CHECK int vmcp_salt_check(const char *s, size_t len, struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_hostid_check(const char *s, size_t len, struct vmcp_error *err);

/* A machine: [a-z0-9][a-z0-9-]{0,62}. */
VMCP_MUST_CHECK int vmcp_machine_name_check(const char *s, size_t len, struct vmcp_error *err);

/* A domain: lower-case host name labels (RFC 1123, section 2.1) or an IPv4 address or an IPv6
 * address without brackets, at most 253 characters, no port, no trailing dot. */
VMCP_MUST_CHECK int vmcp_domain_check(const char *s, size_t len, struct vmcp_error *err);

/* A fresh salt of VMCP_SALT_LEN characters of A-Z a-z 0-9 -, uniform, from the kernel's
 * generator. Used for one question and forgotten; also a local id, made once and kept. */
VMCP_MUST_CHECK int vmcp_salt_make(char ret[VMCP_AT_LEAST(VMCP_SALT_LEN + 1)],
                                   struct vmcp_error *err);

/* The host id of a client for a domain: hex SHA-256 of `local_id|domain`. */
VMCP_MUST_CHECK int vmcp_hostid_make(const char *local_id, const char *domain,
                                     char ret[VMCP_AT_LEAST(VMCP_HOSTID_LEN + 1)],
                                     struct vmcp_error *err);

/* A random UUID, version 4 (RFC 9562, section 5.4), in lower case. */
VMCP_MUST_CHECK int vmcp_uuid_make(char ret[VMCP_AT_LEAST(VMCP_JTI_LEN + 1)],
                                   struct vmcp_error *err);

#endif
