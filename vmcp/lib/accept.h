/* SPDX-License-Identifier: Apache-2.0 */
/* accept.h - what an Accept header wants (RFC 9110, section 12.5.1). */
#ifndef VMCP_ACCEPT_H
#define VMCP_ACCEPT_H

/* How much `accept` (NULL: there is none; several lines joined with commas, section 5.3) wants the
 * media type `type` that it names: the greatest q of it in thousandths, 1000 where there is none,
 * 0 where it is refused. -1: the type is not named. Wildcards name nothing. */
int vmcp_accept_quality(const char *accept, const char *type);

#endif
