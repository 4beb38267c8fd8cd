/* SPDX-License-Identifier: Apache-2.0 */
/* job_http.h - the part of a job that says what is called: `httpTarget`. For job.c alone. */
#ifndef VMCP_JOB_HTTP_H
#define VMCP_JOB_HTTP_H

#include "fields.h"
#include "job.h"

/* Read the target into *job; what is wrong goes to the findings. */
void vmcp_job_http_read(const struct vmcp_fields *target, struct vmcp_job *job);

#endif
