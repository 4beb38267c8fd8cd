/* SPDX-License-Identifier: Apache-2.0 */
/* head.h - what a request's head may not be, and libmicrohttpd lets pass.
 *
 * All that it hands out are C strings: a NUL byte would hide the rest of a target or a header from
 * us, though not from a proxy before us. But it leaves the head where it lies and ends each part
 * with a NUL in its place, so parts that do not lie side by side have something between them.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stddef.h>

struct MHD_Connection;

/* NULL, or what is wrong with it, a literal: a hidden part, a line that goes on in the next (RFC
 * 9112, section 5.2), a header whose name is no token (section 5.1) or whose value has a control
 * character (section 2.2), two Hosts (section 3.2).
 * `uri` is the target as sent, of `uri_len` bytes; all as libmicrohttpd gave them. To be called
 * with the headers and before anything else of the request. */
const char *http_head_fault(struct MHD_Connection *connection, const char *method, const char *uri,
                            size_t uri_len, const char *version);

#endif
