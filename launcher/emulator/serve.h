/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - `gce-emulator` itself: from a command line to a running cloud. */
#ifndef EMU_SERVE_H
#define EMU_SERVE_H

#include "lib/error.h"
#include "lib/options.h"

struct emu_serve_args {
    const char *metadata, *api; /* ADDR:PORT */
    const char *driver, *state, *project, *zone, *request_log, *folder;
    struct vmcp_list accounts; /* EMAIL */
    struct vmcp_list grants;   /* EMAIL=ROLE */
    struct vmcp_list keys;     /* EMAIL=FILE */
    struct vmcp_list quotas;   /* NAME=NUMBER */
    int64_t operation_delay;   /* milliseconds */
};

/* Serve until SIGTERM or SIGINT. Prints a line for each endpoint on standard output when all is
 * ready, `ready metadata http://ADDR:PORT` and `ready api http://ADDR:PORT`. Errors leave nothing
 * behind. */
VMCP_MUST_CHECK int emu_serve(const struct emu_serve_args *args, struct vmcp_error *err);

#endif
