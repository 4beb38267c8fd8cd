/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMPUTE_PATH "/compute/v1/"

static int parse_prefix(const char *prefix, struct vmcp_joburi *ret, struct vmcp_error *err)
{
    int rc = vmcp_joburi_parse(prefix, ret, NULL, err);
    if (rc == 0 && (strchr(prefix, '?') || strstr(prefix, "${")))
        rc = vmcp_fail(err, VMCP_E_USAGE, "a prefix is an origin and a path, without query");
    return rc < 0 ? vmcp_fail_at(err, VMCP_E_USAGE, prefix, "--allow-uri: %s", err->text) : 0;
}

int launch_reach_check_list(const struct vmcp_list *allow, struct vmcp_error *err)
{
    for (size_t i = 0; i < allow->count; i++) {
        struct vmcp_joburi parsed = {0};
        int rc = parse_prefix(allow->items[i], &parsed, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool same_origin(const struct vmcp_joburi *a, const struct vmcp_joburi *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Whole segments: `/a` covers `/a`, `/a/b` and `/a?q`, not `/ab`. */
static bool covers(const char *prefix, const struct vmcp_joburi *p, const char *uri,
                   const struct vmcp_joburi *u)
{
    const char *below = prefix + p->origin_len, *path = uri + u->origin_len;
    size_t len = strlen(below);
    if (!same_origin(p, u) || strncmp(below, path, len) != 0)
        return false;
    char next = path[len];
    return len == 0 || below[len - 1] == '/' || next == '\0' || next == '/' || next == '?';
}

bool launch_reach_is_compute(const struct launch_reach *reach, const char *uri,
                             const struct vmcp_joburi *parsed)
{
    char host[300];
    const char *universe = reach->rules->universe;
    if (!parsed->https || parsed->port != 443 ||
        strncmp(uri + parsed->origin_len, COMPUTE_PATH, strlen(COMPUTE_PATH)) != 0)
        return false;
    snprintf(host, sizeof(host), "compute.%s", universe);
    if (strcmp(parsed->host, host) == 0)
        return true;
    snprintf(host, sizeof(host), "www.%s", universe);
    return strcmp(parsed->host, host) == 0;
}

/* How long a separator of segments stands here: `/`, also written %2f, which some servers decode
 * before they look at a path, and %5c, a backslash, which some take for one. 0: none. */
static size_t separator(const char *at)
{
    if (*at == '/')
        return 1;
    return strncasecmp(at, "%2f", 3) == 0 || strncasecmp(at, "%5c", 3) == 0 ? 3 : 0;
}

/* `.` or `..`, also written with %2e, and with parameters behind a semicolon: servers and libraries
 * take them away, and what was compared would not be what is called. */
static bool has_dot_segment(const char *path)
{
    const char *end = path + strcspn(path, "?");
    while (path < end) {
        size_t dots = 0, skip = separator(path);
        path += skip ? skip : 1;
        if (!skip)
            continue;
        const char *at = path;
        while (at < end && (*at == '.' || strncasecmp(at, "%2e", 3) == 0)) {
            at += *at == '.' ? 1 : 3;
            dots++;
        }
        bool ends = at == end || *at == ';' || strncasecmp(at, "%3b", 3) == 0 || separator(at);
        if (ends && (dots == 1 || dots == 2))
            return true;
    }
    return false;
}

static int check_allowed(const struct launch_reach *reach, const char *uri,
                         const struct vmcp_joburi *parsed, struct vmcp_error *err)
{
    for (size_t i = 0; i < reach->allow->count; i++) {
        struct vmcp_joburi prefix = {0};
        if (parse_prefix(reach->allow->items[i], &prefix, err) == 0 &&
            covers(reach->allow->items[i], &prefix, uri, parsed))
            return 0;
    }
    if (reach->allow->count)
        return vmcp_fail_at(err, VMCP_E_POLICY, "httpTarget.uri",
                            "%.120s is below no --allow-uri of this launcher", uri);
    if (launch_reach_is_compute(reach, uri, parsed))
        return 0;
    return vmcp_fail_at(err, VMCP_E_POLICY, "httpTarget.uri",
                        "%.120s is not the Compute API; --allow-uri %.*s would allow it", uri,
                        (int)(parsed->origin_len < 80 ? parsed->origin_len : 80), uri);
}

/* Compute's own host, or its part of www: what --api-endpoint stands in for. */
static bool is_compute_host(const struct launch_reach *reach, const char *uri,
                            const struct vmcp_joburi *parsed)
{
    static const char part[] = "/compute/";
    char host[300];
    snprintf(host, sizeof(host), "compute.%s", reach->rules->universe);
    if (strcmp(parsed->host, host) == 0)
        return true;
    snprintf(host, sizeof(host), "www.%s", reach->rules->universe);
    return strcmp(parsed->host, host) == 0 &&
           strncmp(uri + parsed->origin_len, part, strlen(part)) == 0;
}

int launch_reach_find(const struct launch_reach *reach, const struct vmcp_job *job, const char *uri,
                      struct vmcp_buf *out, struct vmcp_error *err)
{
    struct vmcp_joburi parsed = {0};
    int rc = vmcp_joburi_parse(uri, &parsed, NULL, err);
    if (rc < 0)
        return vmcp_error_locate(err, "httpTarget.uri");
    if (has_dot_segment(uri + parsed.origin_len))
        return vmcp_fail_at(err, VMCP_E_POLICY, "httpTarget.uri",
                            "a path with `.` or `..` in it is not called");
    rc = check_allowed(reach, uri, &parsed, err);
    if (rc == 0 && job->token == VMCP_JOB_TOKEN_OAUTH)
        rc = vmcp_job_check_universe(job, reach->rules->universe, err);
    if (rc < 0)
        return rc;
    bool compute = launch_reach_is_compute(reach, uri, &parsed);
    if (reach->rules->api && !compute && is_compute_host(reach, uri, &parsed))
        return vmcp_fail_at(err, VMCP_E_POLICY, "httpTarget.uri",
                            "with --api-endpoint only %s of the Compute API is called",
                            COMPUTE_PATH);
    if (reach->rules->api && compute)
        vmcp_buf_addf(out, "%s%s", reach->compute, uri + parsed.origin_len + strlen(COMPUTE_PATH));
    else
        vmcp_buf_adds(out, uri);
    return vmcp_buf_check(out, "a URI", err);
}

bool launch_reach_may_follow(const struct launch_reach *reach, const struct vmcp_job *job,
                             const char *operation)
{
    struct vmcp_joburi target = {0}, there = {0};
    if (!job->uri || vmcp_joburi_parse(job->uri, &target, NULL, NULL) < 0)
        return false;
    if (launch_reach_is_compute(reach, job->uri, &target))
        return strncmp(operation, reach->compute, strlen(reach->compute)) == 0;
    return vmcp_joburi_parse(operation, &there, NULL, NULL) == 0 && same_origin(&target, &there);
}
