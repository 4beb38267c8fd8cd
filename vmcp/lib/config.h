/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the machine file, configs/NAME.json, and the job file, configs/jobs/NAME.json.
 *
 *     {"serial": 7, "machine": {"name": "…", "secret": "…", …}, "gce": {…}, "v1": false, "count":
 * 1}
 *     {"serial": 7, "job": {"schedule": "*​/5 * * * *", "httpTarget": {…}}}
 *
 * A file without a top-level `machine` is a bare VMCP object: a machine with serial 0. What is
 * wrong is told with line and column; lint and load tell the same.
 */
#ifndef VMCP_CONFIG_H
#define VMCP_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "error.h"
#include "kind.h"
#include "limits.h"

struct vmcp_config {
    enum vmcp_kind kind;
    char name[VMCP_NAME_MAX + 1]; /* after the file */
    int64_t serial;               /* 0..VMCP_SERIAL_MAX */
    bool v1;                      /* answered in version 1 in spite of `gce` */
    int64_t count;                /* 1..VMCP_COUNT_MAX */
    json_t *machine;              /* owned; booleans made 1 and 0, userDataFile read; NULL: a job */
    json_t *job;                  /* owned; without what only Cloud Scheduler writes; or NULL */
    json_t *gce;                  /* owned; NULL if absent */
    unsigned macros;              /* enum vmcp_macro: those that machine and gce use; a job's are
                                     not the responder's */
    bool is_bare;                 /* a bare VMCP object, without a top-level `machine` */
    bool has_user_data_file;      /* userData was read from userDataFile */
};

/* Read and check one file. What is found is appended to *diags with line and column (NULL: only
 * the first error is told, by err); with diags->want_gce, what Compute Engine will make of a good
 * file too (gcehint.h). Errors: VMCP_E_FILE, VMCP_E_LIMIT and the first error of the
 * diagnosis, with "FILE:LINE:COLUMN" in err->where. *ret is filled on success only. */
VMCP_MUST_CHECK int vmcp_config_load(const char *path, struct vmcp_config *ret,
                                     struct vmcp_diags *diags, struct vmcp_error *err);

/* The same for text from elsewhere: `name` is the machine's, `dirfd` the folder of a userDataFile
 * (-1: there is none, and the parameter an error). */
VMCP_MUST_CHECK int vmcp_config_parse(const char *name, const char *text, size_t len, int dirfd,
                                      struct vmcp_config *ret, struct vmcp_diags *diags,
                                      struct vmcp_error *err);

/* Which kinds of file are wanted. */
enum vmcp_config_want {
    VMCP_WANT_MACHINE, /* what a folder of machines holds */
    VMCP_WANT_JOB,     /* what its subfolder VMCP_JOBS_FOLDER holds */
    VMCP_WANT_EITHER,  /* one with a top-level `job` and no `machine` is a job */
};
#define VMCP_JOBS_FOLDER "jobs"

/* The same for a file of that kind; of another, it is an error. */
VMCP_MUST_CHECK int vmcp_config_load_as(enum vmcp_config_want want, const char *path,
                                        struct vmcp_config *ret, struct vmcp_diags *diags,
                                        struct vmcp_error *err);
VMCP_MUST_CHECK int vmcp_config_parse_as(enum vmcp_config_want want, const char *name,
                                         const char *text, size_t len, int dirfd,
                                         struct vmcp_config *ret, struct vmcp_diags *diags,
                                         struct vmcp_error *err);

/* Is this the name of a machine or job file in a folder: NAME.json, not hidden? */
bool vmcp_config_is_file_name(const char *name);

/* Only for a version 2 answer: a job, `gce` without `v1`, or several VMs. */
bool vmcp_config_needs_v2(const struct vmcp_config *config);

void vmcp_config_clear(struct vmcp_config *config);
#define auto_config __attribute__((cleanup(vmcp_config_clear)))

#endif
