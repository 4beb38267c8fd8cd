/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the socket on which `vmcpd reload` talks to the running server.
 *
 * A Unix socket, mode 0600. The client sends the line "reload"; the server reloads and answers with
 * one JSON object, {"code": "ok"|…, "where": "…", "detail": "…", "loaded": true, "generation": 5,
 * "machines": 3, "jobs": 2, "findings": ["FILE:LINE:COLUMN: error: …", …]}, and closes. Generation
 * and machines are of what is served from now on; it may be loaded, and the code another than "ok",
 * where the access log could not be opened again. Only the server's own user and root are answered.
 */
#ifndef SRV_CONTROL_H
#define SRV_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/listen.h"
#include "lib/error.h"

enum {
    SRV_CONTROL_LINES_MAX = 100,      /* findings of one answer */
    SRV_CONTROL_LINE_MAX = 4096,      /* bytes of one */
    SRV_CONTROL_ANSWER_MAX = 1048576, /* what the client takes */
};
_Static_assert(2 * SRV_CONTROL_LINES_MAX * SRV_CONTROL_LINE_MAX + 4096 < SRV_CONTROL_ANSWER_MAX,
               "the longest answer fits, each byte escaped");

/* What became of a reload. */
struct srv_control_outcome {
    struct vmcp_error err; /* VMCP_OK: it was done */
    bool loaded;           /* the new set is served, whatever else went wrong */
    unsigned generation;   /* that is served now */
    size_t machines, jobs; /* in it */
};

/* Where the socket is: `path`, or, where that is NULL, control in $RUNTIME_DIRECTORY. *ret is new,
 * free(); NULL if there is none. */
VMCP_MUST_CHECK int srv_control_path(const char *path, char **ret, struct vmcp_error *err);

/* Listen on `path`, with mode 0600. A socket that a dead server of this user left is replaced, a
 * live one's is not. Errors: those of http_listener_open(). */
VMCP_MUST_CHECK int srv_control_listen(const char *path, struct http_listener *ret,
                                       struct vmcp_error *err);

/* Accept one client and read what it wants. *ret_fd is a connection on which "reload" was asked
 * for; -1 where there was nothing of use. */
void srv_control_accept(int listen_fd, int *ret_fd);

/* Answer and close, within two seconds whatever the client does. `findings` (borrowed) is an array
 * of strings. */
void srv_control_answer(int fd, const struct srv_control_outcome *outcome, const json_t *findings);

/* The client: ask the server behind `path` for a reload and wait for its outcome, at most
 * `timeout_s` seconds. *ret is the answer, a new reference. Errors: VMCP_E_NETWORK where no server
 * is there, VMCP_E_TIMEOUT. */
VMCP_MUST_CHECK int srv_control_ask(const char *path, int timeout_s, json_t **ret,
                                    struct vmcp_error *err);

#endif
