/* SPDX-License-Identifier: Apache-2.0 */
#include "execute.h"

#include <stdio.h>
#include <string.h>

#include "attempt.h"
#include "backoff.h"
#include "launching.h"
#include "lib/instant.h"
#include "requestid.h"
#include "scheduler.h"

/* SETTLE_MS: Compute knows a requestId for an hour; later, and by a clock that was set, what is
 * sent again would be done again. As for machines (intents). */
enum { ANSWER_MAX = 8 * 1024 * 1024, SETTLE_MS = 30 * 60 * 1000 };

/* One run, while it is looked at. */
struct running {
    struct launch_worker *worker;
    const struct launch_signed_job *job;
    struct launch_job_name name;
    struct launch_run_row run;
    struct launch_attempt_row attempt; /* the last one */
    bool has_attempt;
};

static int64_t now_of(const struct running *r)
{
    const struct launch_jobs *jobs = r->worker->jobs;
    return jobs->now_ms(jobs->clock_arg);
}

/* RFC 3339; whole seconds for a schedule, with a fraction for what was called by hand. */
static void time_text(int64_t ms, char *ret, size_t size)
{
    char text[VMCP_INSTANT_CHARS];
    vmcp_instant_text(ms / 1000, text);
    if (ms % 1000 == 0 || text[0] == '@')
        snprintf(ret, size, "%s", text);
    else
        snprintf(ret, size, "%.*s.%03dZ", (int)strcspn(text, "Z"), text, (int)(ms % 1000));
}

static int end_attempt(struct running *r, const struct vmcp_buf *answer, struct vmcp_error *err)
{
    if (r->attempt.outcome == LAUNCH_OUTCOME_OPEN)
        return 0; /* we are to stop: whoever comes next settles it */
    r->attempt.ended_ms = now_of(r);
    return launch_history_end(r->worker->history, &r->attempt, answer->data, answer->len, err);
}

/* Never sent: nothing of it becomes better by trying again. */
static int refuse_run(struct running *r, const struct vmcp_error *why, struct vmcp_error *err)
{
    char text[LAUNCH_WHY_MAX];
    snprintf(text, sizeof(text), "%s%s%s [%s]", why->where, why->where[0] ? ": " : "", why->text,
             vmcp_code_name(why->code));
    r->run.outcome = LAUNCH_OUTCOME_REFUSED;
    snprintf(r->run.error, sizeof(r->run.error), "%s", text);
    return launch_history_end_run(r->worker->history, r->run.id, r->run.outcome, now_of(r), text,
                                  err);
}

/* Make the request of an attempt, whether it is sent for the first time or again. */
static int make_request(struct running *r, struct launch_request *ret, struct vmcp_error *err)
{
    char when[VMCP_INSTANT_CHARS + 8];
    json_auto_t *previous = NULL;
    time_text(r->run.schedule_ms, when, sizeof(when));
    int rc = launch_history_previous(r->worker->history, &r->name, &previous, err);
    if (rc < 0)
        return rc;
    struct launch_values values = {.uuid = r->attempt.request_id,
                                   .schedule_time = when,
                                   .attempt = r->attempt.number,
                                   .previous = previous,
                                   .previous_else = r->job->job.previous_default};
    struct launch_scheduled scheduled = {.job = r->name.job, .values = &values};
    return launch_request_make(&r->worker->jobs->reach, &r->job->job, &scheduled, ret, err);
}

/* Exit codes of `launch`: what a rule refused, and what was wrong here, stays so. */
static int do_launch(struct running *r, struct vmcp_buf *answer, struct vmcp_error *err)
{
    const struct vmcp_job *job = &r->job->job;
    struct vmcp_error why = {0};
    int code = 0;
    int rc =
        launch_machine(r->worker->jobs, job->launch, job->attempt_deadline_ms, &code, answer, &why);
    r->attempt.outcome = LAUNCH_OUTCOME_FAILED;
    if (rc < 0)
        snprintf(r->attempt.error, sizeof(r->attempt.error), "%s", why.text);
    else if (code == VMCP_EXIT_DONE)
        r->attempt.outcome = LAUNCH_OUTCOME_SUCCEEDED;
    else if (code < 0)
        snprintf(r->attempt.error, sizeof(r->attempt.error),
                 "the launch did not end within attemptDeadline; the next one takes it up");
    else
        snprintf(r->attempt.error, sizeof(r->attempt.error), "vmcp-launch launch ended with %d",
                 code);
    return end_attempt(r, answer, err);
}

static int begin_attempt(struct running *r, const char *method, const char *uri,
                         struct vmcp_error *err)
{
    r->attempt.started_ms = now_of(r);
    snprintf(r->attempt.method, sizeof(r->attempt.method), "%s", method);
    snprintf(r->attempt.uri, sizeof(r->attempt.uri), "%s", uri);
    return launch_history_begin(r->worker->history, r->run.id, &r->attempt, err);
}

/* What cannot be found out: it may have been carried out. */
static int leave_in_doubt(struct running *r, const char *why, struct vmcp_error *err)
{
    r->attempt.outcome = LAUNCH_OUTCOME_DOUBT;
    snprintf(r->attempt.error, sizeof(r->attempt.error), "%s", why);
    r->attempt.ended_ms = now_of(r);
    return launch_history_end(r->worker->history, &r->attempt, NULL, 0, err);
}

/* A file may be changed without a new serial: then it is not the attempt that was cut off. */
static bool is_the_same(const struct running *r, const struct launch_request *request)
{
    return r->job->job.launch || (strcmp(r->attempt.method, r->job->job.method) == 0 &&
                                  strcmp(r->attempt.uri, request->uri.data) == 0);
}

/* A first time, or the same attempt again: `again` is in the history already. */
static int send(struct running *r, bool again, struct vmcp_error *err)
{
    auto_request struct launch_request request = {0};
    auto_buf struct vmcp_buf answer = VMCP_BUF(ANSWER_MAX);
    struct vmcp_error why = {0};
    const char *machine = r->job->job.launch;
    int rc = machine ? 0 : make_request(r, &request, &why);
    if (rc < 0 && !again)
        return refuse_run(r, &why, err);
    if (rc < 0 || (again && !is_the_same(r, &request))) {
        char text[LAUNCH_WHY_MAX];
        snprintf(text, sizeof(text), "cannot be sent again: %s",
                 rc < 0 ? why.text : "the job says something else now");
        return leave_in_doubt(r, text, err);
    }
    if (!again)
        rc = begin_attempt(r, machine ? "LAUNCH" : r->job->job.method,
                           machine ? machine : request.uri.data, err);
    if (rc == 0 && machine)
        return do_launch(r, &answer, err);
    if (rc == 0)
        rc = launch_attempt_send(r->worker, &r->job->job, &request, &r->attempt, &answer, err);
    return rc < 0 ? rc : end_attempt(r, &answer, err);
}

/* May it be sent once more without being done once more? */
static bool can_be_settled(const struct running *r)
{
    const struct launch_attempt_row *a = &r->attempt;
    struct vmcp_joburi parsed = {0};
    int64_t age = now_of(r) - a->started_ms;
    /* Another serial may say another thing: it is not the same attempt then. */
    if (r->job->job.launch || r->job->answer.serial != r->run.serial)
        return false;
    if (launch_request_is_safe(a->method))
        return true;
    bool compute = vmcp_joburi_parse(a->uri, &parsed, NULL, NULL) == 0 &&
                   launch_reach_is_compute(&r->worker->jobs->reach, a->uri, &parsed);
    return age > -SETTLE_MS && age < SETTLE_MS &&
           launch_request_repeatable(a->method, a->uri, compute);
}

/* An attempt without outcome: we were cut off. */
static int settle(struct running *r, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf answer = VMCP_BUF(ANSWER_MAX);
    const struct launch_attempt_row *a = &r->attempt;
    if (strcmp(a->method, "LAUNCH") == 0 && r->job->job.launch &&
        strcmp(a->uri, r->job->job.launch) == 0)
        return send(r, true, err); /* the machine's own state knows what was sent */
    if (a->operation[0] &&
        !launch_reach_may_follow(&r->worker->jobs->reach, &r->job->job, a->operation))
        return leave_in_doubt(r, "the job calls another host now: its operation is not asked about",
                              err);
    if (a->operation[0]) {
        launch_attempt_follow(r->worker, &r->job->job, &r->attempt, &answer);
        return end_attempt(r, &answer, err);
    }
    if (can_be_settled(r))
        return send(r, true, err);
    return leave_in_doubt(r, "cut off after it may have been sent, and it cannot be asked about",
                          err);
}

static int next_attempt(struct running *r, struct vmcp_error *err)
{
    int number = r->has_attempt ? r->attempt.number + 1 : 1;
    r->attempt = (struct launch_attempt_row){.number = number};
    r->has_attempt = true;
    int rc = launch_request_id(&r->name, r->run.schedule_ms, number, r->attempt.request_id, err);
    return rc < 0 ? rc : send(r, false, err);
}

/* When the next attempt is due; 0: there is none. */
static int64_t next_due(const struct running *r)
{
    const struct vmcp_job_retry *retry = &r->job->job.retry;
    const struct launch_attempt_row *a = &r->attempt;
    bool doubt = a->outcome == LAUNCH_OUTCOME_DOUBT;
    if (a->outcome == LAUNCH_OUTCOME_OPEN)
        return now_of(r);
    if (a->outcome == LAUNCH_OUTCOME_SUCCEEDED || (doubt && !r->job->job.retry_in_doubt))
        return 0;
    /* onDoubt says retry: once at least, whatever retryConfig says of failures. */
    if (!launch_backoff_goes_on(retry, a->number, a->ended_ms - r->run.started_ms) &&
        !(doubt && a->number == 1))
        return 0;
    int64_t pause = launch_backoff_ms(retry, a->number);
    /* The clock was set back by more than the pause: nobody waits for the old time. */
    return a->ended_ms - now_of(r) > pause ? now_of(r) : a->ended_ms + pause;
}

static int look(struct running *r, struct launch_step *ret, struct vmcp_error *err)
{
    ret->next_ms = r->run.outcome == LAUNCH_OUTCOME_OPEN ? next_due(r) : 0;
    if (ret->next_ms || r->run.outcome != LAUNCH_OUTCOME_OPEN)
        return 0;
    r->run.outcome = r->attempt.outcome;
    r->run.ended_ms = now_of(r);
    snprintf(r->run.error, sizeof(r->run.error), "%s", r->attempt.error);
    return launch_history_end_run(r->worker->history, r->run.id, r->run.outcome, r->run.ended_ms,
                                  r->run.error, err);
}

/* We were cut off before its first attempt: nothing was sent, and its time has gone by. Whoever
 * called it by hand calls it again. */
static bool is_missed(const struct running *r, bool made)
{
    return !made && !r->has_attempt &&
           (r->run.manual ||
            (!r->job->job.run_missed && now_of(r) - r->run.started_ms > LAUNCH_LATE_MS));
}

static int miss(struct running *r, struct vmcp_error *err)
{
    r->run.outcome = LAUNCH_OUTCOME_MISSED;
    r->run.ended_ms = now_of(r);
    snprintf(r->run.error, sizeof(r->run.error), "cut off before anything was sent");
    return launch_history_end_run(r->worker->history, r->run.id, r->run.outcome, r->run.ended_ms,
                                  r->run.error, err);
}

int launch_execute_step(struct launch_worker *worker, const struct launch_signed_job *job,
                        const struct launch_when *when, struct launch_step *ret,
                        struct vmcp_error *err)
{
    struct running r = {
        .worker = worker, .job = job, .name = {worker->jobs->run.domain, job->name}};
    struct launch_run_row wanted = {.schedule_ms = when->schedule_ms,
                                    .serial = job->answer.serial,
                                    .manual = when->manual,
                                    .started_ms = now_of(&r)};
    bool made = false;
    *ret = (struct launch_step){0};
    int rc = launch_history_run(worker->history, &r.name, &wanted, &made, &r.run, err);
    if (rc == 0 && r.run.outcome == LAUNCH_OUTCOME_OPEN)
        rc =
            launch_history_last_attempt(worker->history, r.run.id, &r.has_attempt, &r.attempt, err);
    if (rc == 0 && r.run.outcome == LAUNCH_OUTCOME_OPEN) {
        if (is_missed(&r, made))
            rc = miss(&r, err);
        else if (r.has_attempt && r.attempt.outcome == LAUNCH_OUTCOME_OPEN)
            rc = settle(&r, err);
        else if (!r.has_attempt || (next_due(&r) && next_due(&r) <= now_of(&r)))
            rc = next_attempt(&r, err);
    }
    if (rc == 0)
        rc = look(&r, ret, err);
    ret->run = r.run;
    return rc;
}

int launch_execute(struct launch_worker *worker, const struct launch_signed_job *job,
                   const struct launch_when *when, struct launch_run_row *ret,
                   struct vmcp_error *err)
{
    struct launch_jobs *jobs = worker->jobs;
    for (;;) {
        struct launch_step step;
        int rc = launch_execute_step(worker, job, when, &step, err);
        if (rc < 0)
            return rc;
        *ret = step.run;
        if (!step.next_ms || !jobs->wait_until_ms(jobs->clock_arg, step.next_ms))
            return 0;
    }
}
