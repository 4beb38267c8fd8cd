/* SPDX-License-Identifier: Apache-2.0 */
/* How a thread of the service comes to a job that is good now. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lib/json.h"
#include "service_doing.h"

enum { BUSY_PAUSE_MS = 5000 };

static void hear(struct launch_doing *d, bool deaf, const char *why)
{
    pthread_mutex_lock(&d->s->lock);
    bool was = d->s->deaf;
    d->s->deaf = deaf;
    pthread_mutex_unlock(&d->s->lock);
    if (deaf && !was)
        launch_say(launch_doing_report(d), "the responder does not answer: %s", why);
    else if (!deaf && was)
        launch_say(launch_doing_report(d), "the responder answers again");
}

/* It stops, until a refresh finds it good. */
static void refused(struct launch_doing *d, const struct vmcp_error *why)
{
    char text[LAUNCH_WHY_MAX];
    snprintf(text, sizeof(text), "%.300s [%s]", why->text, vmcp_code_name(why->code));
    pthread_mutex_lock(&d->s->lock);
    bool was = d->job->stopped;
    d->job->stopped = true;
    d->s->refusals[why->code]++;
    pthread_mutex_unlock(&d->s->lock);
    free(d->job->kept);
    d->job->kept = NULL;
    if (!was)
        launch_say(launch_doing_report(d), "%s is stopped: %s", d->job->name, text);
    if (d->task->action == LAUNCH_RUN)
        launch_doing_record(d, LAUNCH_OUTCOME_REFUSED, text);
    d->news.found = LAUNCH_FOUND_REFUSED;
}

void launch_doing_schedule(struct launch_doing *d, const struct vmcp_job *job)
{
    d->schedule = job->schedule;
    d->news.found = LAUNCH_FOUND;
    d->news.schedule = &d->schedule;
    d->news.run_missed = job->run_missed;
}

/* What the scheduler wants to know, and what a responder that is gone may be replaced by. */
static int take_note(struct launch_doing *d, const struct launch_signed_job *job, bool fresh,
                     struct vmcp_error *err)
{
    int rc = launch_zones_find(&d->s->zones, job->job.time_zone, &d->news.zone, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->s->lock);
    bool again = d->job->stopped;
    d->job->known = true;
    d->job->stopped = false;
    d->job->serial = job->answer.serial;
    pthread_mutex_unlock(&d->s->lock);
    if (again)
        launch_say(launch_doing_report(d), "%s is good again, serial %" PRId64, job->name,
                   job->answer.serial);
    if (fresh && d->s->offline_grace_ms) {
        free(d->job->kept);
        d->job->kept = json_dumps(job->answer.job, JSON_COMPACT);
        d->job->verified_ms = launch_uptime_ms();
    }
    launch_doing_schedule(d, &job->job);
    return 0;
}

/* The last verified one, within the grace. */
static int use_kept(struct launch_doing *d, struct launch_signed_job *ret, struct vmcp_error *err)
{
    struct launch_scheduled_job *job = d->job;
    if (!job->kept || launch_uptime_ms() - job->verified_ms > d->s->offline_grace_ms)
        return vmcp_fail(err, VMCP_E_NETWORK, "no job that was verified of late");
    snprintf(ret->name, sizeof(ret->name), "%s", job->name);
    snprintf(ret->answer.machine, sizeof(ret->answer.machine), "%s", job->name);
    snprintf(ret->answer.domain, sizeof(ret->answer.domain), "%s", d->name.domain);
    ret->answer.kind = VMCP_KIND_JOB;
    ret->answer.serial = job->serial;
    int rc = vmcp_json_parse(job->kept, strlen(job->kept), &ret->answer.job, err);
    return rc < 0 ? rc : vmcp_job_read(ret->answer.job, "", NULL, &ret->job, err);
}

static void unreachable(struct launch_doing *d, const struct http_retry *retry,
                        const struct vmcp_error *why)
{
    hear(d, true, why->text);
    d->news.found = LAUNCH_FOUND_NOTHING;
    d->news.after_ms = retry->after > 0 ? retry->after * INT64_C(1000) : 0;
    if (d->task->action != LAUNCH_RUN || launch_doing_now(d) < d->task->give_up_ms)
        return;
    char text[LAUNCH_WHY_MAX];
    snprintf(text, sizeof(text), "the responder could not be asked: %.280s", why->text);
    launch_doing_record(d, LAUNCH_OUTCOME_REFUSED, text);
    d->news.found = LAUNCH_FOUND_OVER;
}

/* Fetch the job into *ret. False: d->news says why not. */
bool launch_doing_fetch(struct launch_doing *d, struct launch_state *state,
                        struct launch_signed_job *ret)
{
    struct http_retry retry = {0};
    struct vmcp_error err = {0};
    bool fresh = true;
    int rc = launch_worker_fetch(d->worker, state, d->job->name, ret, &retry, &err);
    if (rc == 0)
        hear(d, false, "");
    if (rc < 0 && retry.can) {
        struct vmcp_error none = {0};
        fresh = false;
        if (d->task->action != LAUNCH_RUN || use_kept(d, ret, &none) < 0) {
            unreachable(d, &retry, &err);
            return false;
        }
        hear(d, true, err.text);
        launch_say(launch_doing_report(d), "%s runs as it was verified %lld s ago", d->job->name,
                   (long long)(launch_uptime_ms() - d->job->verified_ms) / 1000);
        rc = 0;
    }
    if (rc == 0)
        rc = take_note(d, ret, fresh, &err);
    if (rc == 0)
        return true;
    hear(d, false, "");
    refused(d, &err);
    return false;
}

bool launch_doing_open(struct launch_doing *d, struct launch_state *ret)
{
    const struct launch_run *run = &d->s->jobs->run;
    struct vmcp_error err = {0};
    int rc = launch_state_open_job(run->dir, run->domain, d->job->name, true, ret, &err);
    if (rc == 0)
        return true;
    if (rc != -VMCP_E_STATE_BUSY) {
        refused(d, &err);
        return false;
    }
    d->news.found = LAUNCH_FOUND_NOTHING; /* run-job has it: it delays the schedule */
    d->news.after_ms = BUSY_PAUSE_MS;
    return false;
}
