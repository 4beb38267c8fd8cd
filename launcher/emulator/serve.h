/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - `gce-emulator` itself: from a command line to a running cloud. */
#ifndef EMU_SERVE_H
#define EMU_SERVE_H

#include "lib/error.h"
#include "lib/options.h"

#define EMU_PROJECT_DEFAULT "demo-project"

struct emu_serve_args {
    const char *metadata; /* ADDR:PORT or unix:PATH */
    const char *api;      /* ADDR:PORT; NULL: none, and then no VM boots */
    const char *metadata_tls, *tls_cert, *tls_key, *client_ca;
    const char *metadata_file, *token_source;
    const char *driver, *state, *zone, *request_log, *folder;
    const char *project; /* NULL: what the file or the source of tokens says */
    bool link_local;
    struct vmcp_list metadata_also;  /* further places */
    struct vmcp_list metadata_hosts; /* further names */
    struct vmcp_list accounts;       /* EMAIL */
    struct vmcp_list grants;         /* EMAIL=ROLE */
    struct vmcp_list keys;           /* EMAIL=FILE */
    struct vmcp_list quotas;         /* NAME=NUMBER */
    struct vmcp_list reach;          /* ADDR:PORT */
    int64_t operation_delay;         /* milliseconds */
};

/* Serve until SIGTERM or SIGINT. Prints a line for each endpoint on standard output when all is
 * ready: `ready metadata http://ADDR:PORT`, `ready api http://ADDR:PORT`, and one for each further
 * place. Errors leave nothing behind. */
VMCP_MUST_CHECK int emu_serve(const struct emu_serve_args *args, struct vmcp_error *err);

#endif
