/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <string.h>

#include "base/refusal.h"
#include "call.h"
#include "methods.h"
#include "reqlog.h"

enum { ROUTES_MAX = 192, SEGMENTS_SIZE = 1024 };

/* What is not a method of the Compute API. */
static const struct http_route others[] = {
    {"POST", "/token", emu_api_token},
    {"POST", "/batch", emu_api_batch},
    {"POST", "/batch/compute/v1", emu_api_batch},
    {"GET", "/emulator/faults", emu_api_faults},
    {"POST", "/emulator/faults", emu_api_faults},
    {"DELETE", "/emulator/faults", emu_api_faults},
    {"DELETE", "/emulator/faults/{id}", emu_api_faults},
    {"POST", "/emulator/preempt", emu_api_preempt},
    {"GET", "/tokeninfo", emu_api_tokeninfo},
    {"POST", "/tokeninfo", emu_api_tokeninfo},
    {"GET", "/oauth2/{version}/tokeninfo", emu_api_tokeninfo},
    {"POST", "/oauth2/{version}/tokeninfo", emu_api_tokeninfo},
    {"GET", "/oauth2/v1/certs", emu_api_certs_x509},
    {"GET", "/oauth2/v3/certs", emu_api_certs_jwk},
    {"GET", "/robot/v1/metadata/x509/{account}", emu_api_account_x509},
    {"GET", "/service_accounts/v1/jwk/{account}", emu_api_account_jwk},
    {"POST", "/v1/projects/{project}/serviceAccounts/{account}", emu_api_iam_credentials},
};

enum { OTHERS = sizeof(others) / sizeof(others[0]) };

static struct http_route routes[ROUTES_MAX];

/* The route says which method it is: both tables have the same order. */
static void run_method(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply, emu_method_at((size_t)(req->route - routes) - OTHERS));
}

/* Errors of the HTTP glue, in the API's envelope. */
static void problem(void *app, const struct http_request *req, struct http_reply *reply, int status,
                    enum vmcp_code code, const char *detail)
{
    (void)app;
    (void)req;
    const char *reason = status == 404   ? "notFound"
                         : status == 405 ? "httpMethodNotAllowed"
                         : status == 413 ? "uploadTooLarge"
                         : status == 500 ? "backendError"
                                         : "badRequest";
    struct emu_refusal why = {0};
    emu_refuse(&why, status, reason, "%s", detail);
    emu_refusal_reply(&why, reply);
    reply->code = code;
}

void emu_api_answer(struct emu_cloud *cloud, struct http_request *req, struct http_reply *reply)
{
    char segments[SEGMENTS_SIZE], allow[64];
    req->route =
        http_route_find(routes + OTHERS, req, segments, sizeof(segments), allow, sizeof(allow));
    if (req->route)
        req->route->handler(cloud, req, reply);
    else
        problem(cloud, req, reply, allow[0] ? 405 : 404, VMCP_E_NOT_FOUND,
                allow[0] ? "this path does not take this method" : "there is nothing at this path");
    emu_reqlog_add(cloud, "api", req, reply, 0);
}

/* Before the server starts, which takes the table as it is. The rows behind the last stay zero. */
static void fill_routes(void)
{
    const struct emu_method *method = NULL;
    memcpy(routes, others, sizeof(others));
    for (size_t i = 0; (method = emu_method_at(i)) && OTHERS + i + 1 < ROUTES_MAX; i++)
        routes[OTHERS + i] = (struct http_route){method->http, method->path, run_method};
}

static bool guard(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_cloud *cloud = app;
    struct emu_refusal why = {0};
    if (!atomic_load(&cloud->ready)) {
        emu_refuse(&why, 503, "backendError", "The emulator is starting.");
        emu_refusal_reply(&why, reply);
        return true;
    }
    if (emu_hosts_twice(req)) {
        emu_refuse(&why, 400, "badRequest", "A request has one Host header.");
        emu_refusal_reply(&why, reply);
        http_reply_header(reply, "Connection", "close");
        return true;
    }
    const char *refused = emu_hosts_refuse(&cloud->hosts, req);
    if (!refused)
        return false;
    emu_refuse(&why, 403, "forbidden", "%s", refused);
    emu_refusal_reply(&why, reply);
    return true;
}

static void decorate(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)app;
    (void)req;
    http_reply_header(reply, "Vary", "Origin");
    http_reply_header(reply, "X-Content-Type-Options", "nosniff");
}

static void log_request(void *app, const struct http_request *req, const struct http_reply *reply,
                        int64_t micros)
{
    emu_reqlog_add(app, "api", req, reply, micros);
}

struct http_server_options emu_api_options(struct emu_cloud *cloud)
{
    fill_routes();
    return (struct http_server_options){
        .body_max = HTTP_BODY_MAX,
        .rate = HTTP_NO_LIMIT, /* its only clients are a developer and their VMs */
        .routes = routes,
        .app = cloud,
        .guard = guard,
        .decorate = decorate,
        .problem = problem,
        .log = log_request,
    };
}
