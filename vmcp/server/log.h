/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - the access log: one line for each request, after it was answered.
 *
 * A line has what an operator needs to find an answer again, and nothing that is worth stealing:
 * never the query string, a salt, a secret or user data; of a host id the first 12 hex digits of
 * its SHA-256. It goes out in one write(2), so that lines never mix, and that write never waits: a
 * line that cannot be written (the disk is full, nobody reads the pipe) is dropped and counted, and
 * the first of a file's is told on standard error. While the log is off nothing is formatted.
 */
#ifndef SRV_LOG_H
#define SRV_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/server.h"
#include "lib/error.h"
#include "signer.h"

enum srv_log_kind { SRV_LOG_OFF, SRV_LOG_FILE, SRV_LOG_PIPE, SRV_LOG_SOCKET };

struct srv_log {
    enum srv_log_kind kind;
    const char *path; /* borrowed; NULL: standard error */
    int fd;
    bool json, journal;
    atomic_bool torn;  /* the last write stopped inside a line */
    atomic_bool told;  /* that lines are dropped */
    atomic_bool stale; /* it was to be opened again, and could not be */
    _Atomic uint64_t dropped;
};

/* Open "off", "-" (standard error; NULL too) or a file, which is made with mode 0640 and only
 * appended to. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int srv_log_open(struct srv_log *log, const char *place, bool json,
                                 struct vmcp_error *err);
/* Could srv_log_open() do that? Nothing is made. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int srv_log_try(const char *place, struct vmcp_error *err);
/* Open the file by its name again, after logrotate(8) has moved it away. Where that fails the old
 * one stays. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int srv_log_reopen(struct srv_log *log, struct vmcp_error *err);
void srv_log_close(struct srv_log *log);

/* Remember what a good answer was, for its line. */
void srv_log_answer(const struct srv_log *log, const struct srv_work *work,
                    struct http_reply *reply);
/* Write the line of a request. */
void srv_log_request(struct srv_log *log, const struct http_request *req,
                     const struct http_reply *reply, int64_t micros);

#endif
