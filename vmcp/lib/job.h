/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - a job: what is to be done, and when.
 *
 * The document is the `job` of a job file (config.h) and of a signed answer (answer.h): the REST
 * resource of Cloud Scheduler with an HTTP target, so that what `gcloud scheduler jobs describe
 * --format=json` prints can be pasted in, and what it lacks: `launch`, `waitForOperation`,
 * `bodyJson`, `onMissed`, `onDoubt`, `previousDefault` and macros (jobmacro.h). What the service
 * alone writes (`state`, `lastAttemptTime`…) is ignored.
 *
 *     auto_job struct vmcp_job job = {0};
 *     int rc = vmcp_job_read(answer.job, "", NULL, &job, err);
 */
#ifndef VMCP_JOB_H
#define VMCP_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "diag.h"
#include "error.h"
#include "joburi.h"
#include "schedule.h"

/* How the request says who calls. */
enum vmcp_job_token {
    VMCP_JOB_TOKEN_NONE,
    VMCP_JOB_TOKEN_OAUTH, /* oauthToken: an access token */
    VMCP_JOB_TOKEN_OIDC,  /* oidcToken: an identity token */
};

struct vmcp_job_retry {
    int count;               /* retryCount, 0 to VMCP_JOB_RETRIES_MAX */
    int max_doublings;       /* 0 to VMCP_JOB_DOUBLINGS_MAX */
    int64_t max_duration_ms; /* 0: no limit */
    int64_t min_backoff_ms, max_backoff_ms;
};

/* A good job. Texts are borrowed from `document`. */
struct vmcp_job {
    json_t *document;        /* a reference */
    const char *description; /* NULL: none */
    struct vmcp_schedule schedule;
    const char *schedule_text; /* as it is written */
    const char *time_zone;     /* a name that vmcp_zone_name_check() took; "Etc/UTC" by default */

    const char *launch; /* the machine to launch; NULL: what follows is called instead */

    const char *uri; /* with its macros */
    struct vmcp_joburi target;
    const char *method;    /* "POST" by default */
    const json_t *headers; /* an object of strings, with their macros; NULL: none */
    uint8_t *body;         /* decoded, with its macros; owned; NULL: none */
    size_t body_len;
    const json_t *body_json; /* with its macros; NULL: none. Never both */
    enum vmcp_job_token token;
    const char *account;  /* serviceAccountEmail; NULL: the credential's own */
    const char *scope;    /* oauthToken's; cloud-platform by default */
    const char *audience; /* oidcToken's; NULL: the URI that is called */
    bool wait_for_operation;
    const json_t *previous_default; /* an object, looked at as the last success's JSON; or NULL */
    unsigned macros;                /* enum vmcp_jobmacro_kind: those that are used */

    struct vmcp_job_retry retry;
    int64_t attempt_deadline_ms;
    bool run_missed;     /* onMissed: runOnce */
    bool retry_in_doubt; /* onDoubt: retry */
};

/* Check a job (borrowed; *ret takes a reference) and take it apart. `prefix` is the JSON Pointer of
 * the job in its document, *diags gets all that was found (NULL: only the first error is told, by
 * err). *ret is filled only where there is no error; vmcp_job_clear(). Errors: VMCP_E_JOB,
 * VMCP_E_MACRO. */
VMCP_MUST_CHECK int vmcp_job_read(const json_t *document, const char *prefix,
                                  struct vmcp_diags *diags, struct vmcp_job *ret,
                                  struct vmcp_error *err);
void vmcp_job_clear(struct vmcp_job *job);
#define auto_job VMCP_AUTO(vmcp_job_clear)

/* Take away the members that only Cloud Scheduler writes. */
void vmcp_job_strip(json_t *document);

/* May its access token go where the job wants it to? Only to `universe` ("googleapis.com") and
 * hosts under it. vmcp_job_read() asks only where diags->universe is set.
 * Errors: VMCP_E_JOB. */
VMCP_MUST_CHECK int vmcp_job_check_universe(const struct vmcp_job *job, const char *universe,
                                            struct vmcp_error *err);

#define VMCP_UNIVERSE_DEFAULT "googleapis.com"

#endif
