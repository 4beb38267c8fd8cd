/* SPDX-License-Identifier: Apache-2.0 */
/* The request target, decoded once and matched with routes: nothing that is hidden gets through. */
#include "fuzz.h"

#include "http/server_internal.h"

static void handler(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)app;
    (void)req;
    (void)reply;
}

static const struct http_route routes[] = {{"GET", "/vmcp", handler},
                                           {"GET", "/vmcp/{name}", handler},
                                           {"POST", "/a/{b}/c/{d}:verb", handler},
                                           {"GET", "/all/{*}", handler},
                                           {0}};

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return true;
    return false;
}

static void is_clean(const struct http_request *req)
{
    fuzz_check(req->path[0] == '/' && !has_control(req->path));
    fuzz_check(req->param_count <= HTTP_PARAMS_MAX);
    for (size_t i = 0; i < req->param_count; i++) {
        const struct http_param *p = &req->params[i];
        fuzz_check(strlen(p->key) == p->key_len && strlen(p->value) == p->value_len);
        fuzz_check(!has_control(p->key) && !has_control(p->value));
    }
    fuzz_check(!req->host || !strpbrk(req->host, "/?#@\\"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    struct http_request req = {.method = size % 2 ? "GET" : "POST"};
    auto_free char *target = fuzz_string(data, size);
    size_t room = strlen(target) + 2;
    auto_free char *segments = malloc(room);
    char allow[64];
    if (fuzz_told(http_request_split(&req, target, &err), &err) < 0)
        return 0;
    is_clean(&req);
    const struct http_route *found =
        http_route_find(routes, &req, segments, room, allow, sizeof(allow));
    for (size_t i = 0; found && i < HTTP_SEGMENTS_MAX && req.segments[i]; i++)
        fuzz_check(strstr(found->pattern, "{*}") || !strchr(req.segments[i], '/'));
    return 0;
}
