/* SPDX-License-Identifier: Apache-2.0 */
/* run_job.h - what `run-job` and `schedule` are told on their command lines. */
#ifndef LAUNCH_RUN_JOB_H
#define LAUNCH_RUN_JOB_H

#include <stddef.h>

#include "lib/options.h"
#include "option_rows.h"
#include "settings.h"

struct job_args {
    struct launch_settings settings; /* `parallel` is that of jobs */
    struct vmcp_list allow_uri;
};
#define JOB_ARGS                    \
    {                               \
        .settings = LAUNCH_SETTINGS \
    }

/* The rows that both have; a verb's own stand before. ARGS is its struct, which begins with a
 * struct job_args named `job`. */
/* clang-format off */
#define JOB_ROWS(AT, ALLOW_URI) \
    LAUNCH_RESPONDER_ROWS(AT), LAUNCH_CLOUD_ROWS(AT), \
    {"allow-uri", "PREFIX", VMCP_OPT_LIST, ALLOW_URI, 0, 0, \
     "jobs may call what begins so (the Compute API)"}, \
    LAUNCH_BOUND_ROWS(AT), \
    {"image", "IMAGE", VMCP_OPT_STRING, AT(image), 0, 0, \
     "boot image of what a job launches, as in `launch`"}, \
    {"timeout", "TIME", VMCP_OPT_TIME, AT(timeout), 1, 86400, "for operations (10m)"}, \
    {"state-dir", "DIR", VMCP_OPT_STRING, AT(state_dir), 0, 0, "where to keep state"}, \
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print one JSON object on stdout"}
/* clang-format on */

#endif
