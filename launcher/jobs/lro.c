/* SPDX-License-Identifier: Apache-2.0 */
#include "lro.h"

#include <stdio.h>
#include <string.h>

#include "cloud/resource.h"

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

/* Compute: error.errors[]; its HTTP status stands beside. */
static void read_compute(const json_t *op, struct launch_lro *ret)
{
    const json_t *error = json_object_get(op, "error");
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
    ret->done = strcmp(text(op, "status"), "DONE") == 0;
    ret->failed = ret->done && error && !json_is_null(error);
    if (ret->failed)
        snprintf(ret->error, sizeof(ret->error), "%.64s: %.200s", text(first, "code"),
                 text(first, "message"));
}

static void read_longrunning(const json_t *op, struct launch_lro *ret)
{
    const json_t *error = json_object_get(op, "error");
    ret->done = json_is_true(json_object_get(op, "done"));
    ret->failed = ret->done && error && !json_is_null(error);
    if (ret->failed)
        snprintf(ret->error, sizeof(ret->error), "code %lld: %.200s",
                 (long long)json_integer_value(json_object_get(error, "code")),
                 text(error, "message"));
}

static bool is_compute(const json_t *op)
{
    return strcmp(text(op, "kind"), "compute#operation") == 0;
}

/* `name` and either `done` or `metadata`: what is not done may leave `done` out (AIP-151). */
static bool is_longrunning(const json_t *op)
{
    const char *name = text(op, "name");
    bool named = strncmp(name, "operations/", 11) == 0 || strstr(name, "/operations/");
    return named && !json_object_get(op, "kind") &&
           (json_is_boolean(json_object_get(op, "done")) || json_object_get(op, "metadata"));
}

struct launch_lro launch_lro_read(const json_t *answer)
{
    struct launch_lro ret = {0};
    ret.is_one = is_compute(answer) || is_longrunning(answer);
    if (is_compute(answer))
        read_compute(answer, &ret);
    else if (ret.is_one)
        read_longrunning(answer, &ret);
    char clean[sizeof(ret.error)];
    launch_clean(ret.error, clean, sizeof(clean));
    memcpy(ret.error, clean, sizeof(ret.error));
    return ret;
}

/* Below the API that was called, whichever of its addresses the link has. */
static bool compute_url(const struct launch_reach *reach, const json_t *op, char *ret, size_t size)
{
    const char *link = text(op, "selfLink");
    size_t base = strlen(reach->compute);
    const char *path =
        strncmp(link, reach->compute, base) == 0 ? link + base : launch_resource_path(link);
    if (!path || !*path || strpbrk(path, "?#%\\ ") || strstr(path, ".."))
        return false;
    int n = snprintf(ret, size, "%s%s", reach->compute, path);
    return n > 0 && (size_t)n < size;
}

/* https://run.googleapis.com/v2/projects/… gives https://run.googleapis.com/v2/NAME. */
static bool longrunning_url(const char *called, const json_t *op, char *ret, size_t size)
{
    struct vmcp_joburi parsed = {0};
    const char *name = text(op, "name");
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~/";
    if (vmcp_joburi_parse(called, &parsed, NULL, NULL) < 0 || name[strspn(name, chars)] ||
        strstr(name, ".."))
        return false;
    const char *path = called + parsed.origin_len;
    size_t version = *path == '/' ? 1 + strcspn(path + 1, "/?") : 0;
    int n = snprintf(ret, size, "%.*s/%s", (int)(parsed.origin_len + version), called, name);
    return n > 0 && (size_t)n < size && path[1] == 'v';
}

bool launch_lro_url(const struct launch_reach *reach, const char *called, const json_t *answer,
                    char *ret, size_t size)
{
    struct vmcp_joburi parsed = {0};
    bool compute = strncmp(called, reach->compute, strlen(reach->compute)) == 0 ||
                   (vmcp_joburi_parse(called, &parsed, NULL, NULL) == 0 &&
                    launch_reach_is_compute(reach, called, &parsed));
    /* Another receiver says nothing about Compute. */
    if (is_compute(answer))
        return compute && compute_url(reach, answer, ret, size);
    return longrunning_url(called, answer, ret, size);
}
