/* SPDX-License-Identifier: Apache-2.0 */
/* service_doing.h - one task of the service, while a thread does it: inside service_*.c only. */
#ifndef LAUNCH_SERVICE_DOING_H
#define LAUNCH_SERVICE_DOING_H

#include "service.h"

struct launch_doing {
    struct launch_service *s;
    struct launch_worker *worker;
    const struct launch_task *task;
    struct launch_scheduled_job *job;
    struct launch_job_name name;
    struct launch_news news;
    struct vmcp_schedule schedule; /* of the news */
};

int64_t launch_doing_now(const struct launch_doing *d);
const struct launch_report *launch_doing_report(const struct launch_doing *d);

/* Note a scheduled time at which nothing was sent, in history, log and metrics. */
void launch_doing_record(struct launch_doing *d, enum launch_outcome outcome, const char *why);

/* The two of service_fetch.c: open and lock the job's state, and fetch the job. False: d->news says
 * why not. What was fetched is in d->news, and good. */
bool launch_doing_open(struct launch_doing *d, struct launch_state *ret);
bool launch_doing_fetch(struct launch_doing *d, struct launch_state *state,
                        struct launch_signed_job *ret);
/* Fill d->news with what a job says of its times. */
void launch_doing_schedule(struct launch_doing *d, const struct vmcp_job *job);

#endif
