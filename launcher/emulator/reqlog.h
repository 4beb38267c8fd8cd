/* SPDX-License-Identifier: Apache-2.0 */
/* reqlog.h - the request log: one JSON object in a line for each request, after its answer.
 *
 *   {"time":"…","listener":"api","vm":"vm-1","method":"POST","path":"/compute/v1/…","status":200,
 *    "account":"vm1@p.iam.gserviceaccount.com","operation":"operation-…","micros":812}
 *
 * `vm` names the VM that asked; `peer` stands there instead for any other address. Neither query
 * nor token is ever in it.
 */
#ifndef EMU_REQLOG_H
#define EMU_REQLOG_H

#include <stdint.h>

#include "cloud.h"
#include "http/server.h"

/* Open the log: appended to, made 0600; "-" is standard output. */
VMCP_MUST_CHECK int emu_reqlog_open(const char *path, struct emu_reqlog **ret,
                                    struct vmcp_error *err);
void emu_reqlog_free(struct emu_reqlog *log);

/* Remember for the log whose good token a request carried, and which operation it made (NULL: not
 * known, what was noted before stays). */
void emu_reqlog_note(struct http_reply *reply, const char *account, const char *operation);

/* Write the line of a request. Nothing without a log. */
void emu_reqlog_add(struct emu_cloud *cloud, const char *listener, const struct http_request *req,
                    const struct http_reply *reply, int64_t micros);

#endif
