/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BODY_MAX = 1024 * 1024, HEADER_MAX = 96 * 1024 };

static const char *const safe_methods[] = {"GET", "HEAD", "OPTIONS"};

bool launch_request_is_safe(const char *method)
{
    for (size_t i = 0; i < sizeof(safe_methods) / sizeof(*safe_methods); i++)
        if (strcmp(method, safe_methods[i]) == 0)
            return true;
    return false;
}

/* Some of Compute's methods know no requestId (its discovery document): sent twice, they act
 * twice. Labels know it but for what is global. */
static bool takes_request_id(const char *uri)
{
    static const char *const without[] = {"addRule",
                                          "patchRule",
                                          "removeRule",
                                          "setIamPolicy",
                                          "testIamPermissions",
                                          "getHealth",
                                          "sendDiagnosticInterrupt",
                                          "wait",
                                          "validate",
                                          "listInstances",
                                          "listManagedInstances"};
    size_t len = strcspn(uri, "?");
    const char *name = memrchr(uri, '/', len);
    size_t n = name ? (size_t)(uri + len - ++name) : 0;
    if (n == 9 && memcmp(name, "setLabels", n) == 0 && memmem(uri, len, "/global/", 8))
        return false;
    for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++)
        if (n == strlen(without[i]) && memcmp(name, without[i], n) == 0)
            return false;
    return true;
}

bool launch_request_repeatable(const char *method, const char *uri, bool compute)
{
    return launch_request_is_safe(method) || strcmp(method, "PUT") == 0 ||
           strcmp(method, "DELETE") == 0 || (compute && takes_request_id(uri));
}

static int add_header(struct launch_request *r, const char *name, const char *value,
                      struct vmcp_error *err)
{
    char *line = NULL;
    if (r->header_count + 1 >= sizeof(r->headers) / sizeof(*r->headers))
        return vmcp_fail(err, VMCP_E_LIMIT, "too many headers");
    /* libcurl sends a header without a value only where it ends in a semicolon. */
    if (asprintf(&line, *value ? "%s: %s" : "%s;%s", name, value) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a header");
    r->headers[r->header_count++] = line;
    return 0;
}

static const char *media_type(const struct vmcp_job *job)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)job->headers, name, value)
    {
        if (strcasecmp(name, "Content-Type") == 0)
            return json_string_value(value);
    }
    return NULL;
}

/* A body that nobody names a type of is what it looks like: Google's APIs read it as JSON too. */
static bool looks_like_json(const struct vmcp_job *job)
{
    size_t i = 0;
    while (i < job->body_len && strchr(" \t\r\n", job->body[i]))
        i++;
    return i < job->body_len && (job->body[i] == '{' || job->body[i] == '[');
}

/* Values go into such a body as the content of JSON strings. */
static bool is_json(const char *type)
{
    type += type ? strspn(type, " \t") : 0;
    size_t len = type ? strcspn(type, "; \t") : 0;
    return (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

/* The job's own; then those of Cloud Scheduler, which a job cannot set. */
static int make_headers(const struct vmcp_job *job, const struct launch_scheduled *s,
                        struct launch_request *r, struct vmcp_error *err)
{
    const char *name;
    json_t *value;
    int rc = 0;
    json_object_foreach((json_t *)(uintptr_t)job->headers, name, value)
    {
        auto_buf struct vmcp_buf text = VMCP_BUF(HEADER_MAX);
        if (strcasecmp(name, "User-Agent") == 0)
            continue;
        rc = launch_expand_header(name, json_string_value(value), s->values, &text, err);
        if (rc == 0)
            rc = add_header(r, name, text.data ? text.data : "", err);
        if (rc < 0)
            return rc;
    }
    if ((job->body || job->body_json) && !media_type(job))
        rc = add_header(r, "Content-Type",
                        job->body_json ? "application/json" : "application/octet-stream", err);
    if (rc == 0)
        rc = add_header(r, "User-Agent", "Google-Cloud-Scheduler", err);
    if (rc == 0)
        rc = add_header(r, "X-CloudScheduler", "true", err);
    if (rc == 0)
        rc = add_header(r, "X-CloudScheduler-JobName", s->job, err);
    return rc < 0 ? rc
                  : add_header(r, "X-CloudScheduler-ScheduleTime", s->values->schedule_time, err);
}

/* Compute does the work once for each requestId, for an hour or more. */
static void add_request_id(struct launch_request *r, const char *uuid)
{
    const char *query = r->url.data ? strchr(r->url.data, '?') : NULL;
    for (const char *p = query; p; p = strchr(p + 1, '&'))
        if (strncmp(p + 1, "requestId=", 10) == 0)
            return;
    vmcp_buf_addf(&r->url, "%crequestId=%s", query ? '&' : '?', uuid);
}

static int make_target(const struct launch_reach *reach, const struct vmcp_job *job,
                       const struct launch_values *values, struct launch_request *r,
                       struct vmcp_error *err)
{
    struct vmcp_joburi parsed = {0};
    int rc = launch_expand_uri(job, values, &r->uri, err);
    if (rc == 0)
        rc = launch_reach_find(reach, job, r->uri.data, &r->url, err);
    if (rc == 0)
        rc = vmcp_joburi_parse(r->uri.data, &parsed, NULL, err);
    if (rc < 0)
        return rc;
    r->compute = launch_reach_is_compute(reach, r->uri.data, &parsed);
    r->safe = launch_request_is_safe(job->method);
    r->repeatable = launch_request_repeatable(job->method, r->uri.data, r->compute);
    if (r->compute && !r->safe && takes_request_id(r->uri.data))
        add_request_id(r, values->uuid);
    return vmcp_buf_check(&r->url, "a URI", err);
}

int launch_request_make(const struct launch_reach *reach, const struct vmcp_job *job,
                        const struct launch_scheduled *scheduled, struct launch_request *ret,
                        struct vmcp_error *err)
{
    auto_request struct launch_request r = {.uri = VMCP_BUF(VMCP_JOB_URI_MAX),
                                            .url = VMCP_BUF(VMCP_JOB_URI_MAX + 600),
                                            .body = VMCP_BUF(BODY_MAX)};
    int rc = make_target(reach, job, scheduled->values, &r, err);
    if (rc == 0)
        rc = make_headers(job, scheduled, &r, err);
    if (rc == 0 && (job->body || job->body_json))
        rc = launch_expand_body(job, scheduled->values,
                                media_type(job) ? is_json(media_type(job)) : looks_like_json(job),
                                &r.body, err);
    if (rc < 0)
        return rc;
    *ret = r;
    r = (struct launch_request){0};
    return 0;
}

void launch_request_clear(struct launch_request *request)
{
    vmcp_buf_clear(&request->uri);
    vmcp_buf_clear(&request->url);
    vmcp_buf_clear(&request->body);
    for (size_t i = 0; i < request->header_count; i++)
        free(request->headers[i]);
    *request = (struct launch_request){0};
}
