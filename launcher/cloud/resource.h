/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - how Compute Engine names things, checked before they become part of a URL or body.
 *
 * Patterns are those of the API's discovery document: a name is an RFC 1035 label of 1 to 63
 * characters, a project id may have a domain in front (`example.com:web-1`).
 */
#ifndef LAUNCH_RESOURCE_H
#define LAUNCH_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

enum {
    LAUNCH_LABEL_MAX = 63,    /* a resource's name, a label's key or value */
    LAUNCH_PROJECT_MAX = 319, /* domain, colon, id */
    LAUNCH_PATH_MAX = 640     /* projects/P/zones/Z/TYPE/NAME */
};

/* [a-z]([-a-z0-9]{0,61}[a-z0-9])?: instances, zones, images, families, machine types. */
bool launch_is_label(const char *s);
/* A project id, or a project number. */
bool launch_is_project(const char *s);
/* A numeric resource id, 1 to 20 digits without a leading zero. */
bool launch_is_id(const char *s);
/* What an operation may be called: [a-z0-9-], 1 to 128. */
bool launch_is_operation(const char *s);
/* A guest attribute, NAMESPACE/KEY, of the characters that need no escape in a URL. */
bool launch_is_guest_key(const char *s);
/* A service account's e-mail address (or `default`), as far as its characters go. */
bool launch_is_account(const char *s);

VMCP_MUST_CHECK int launch_project_check(const char *s, struct vmcp_error *err);
VMCP_MUST_CHECK int launch_zone_check(const char *s, struct vmcp_error *err);

/* The part after the last slash; `s` itself where there is none. */
const char *launch_last_part(const char *s);

/* The part of a Compute URL below `compute/v1/` (either host of Google's, or none: a path already).
 * Borrowed from `s`; NULL for a URL of another host. */
const char *launch_resource_path(const char *s);

/* A VM's name from a signed one: lower case, any other character than [a-z0-9-] becomes `-`, then
 * the suffixes (NULL or "": none), each behind a `-`. What is then no RFC 1035 label is refused,
 * never cut: VMCP_E_PLAN. */
VMCP_MUST_CHECK int launch_vm_name(const char *name, const char *suffix, const char *number,
                                   char ret[static LAUNCH_LABEL_MAX + 1], struct vmcp_error *err);

/* A label value: lower case, any other character than [a-z0-9_-] becomes `_`, cut at 63. */
void launch_label_value(const char *s, char ret[static LAUNCH_LABEL_MAX + 1]);

/* Bytes of the character at `text` if it steers a terminal or turns the direction of writing; 0:
 * it does not. */
size_t launch_steers(const char *text);

/* Copy text that came from elsewhere for a message: control bytes become spaces, cut to fit. */
void launch_clean(const char *s, char *ret, size_t size);

#endif
