/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <string.h>

#include "refusal.h"
#include "reqlog.h"

#define V1        "/compute/v1/projects/{project}"
#define ZONE      V1 "/zones/{zone}"
#define INSTANCE  ZONE "/instances/{instance}"
#define OPERATION ZONE "/operations/{operation}"

static const struct http_route routes[] = {
    {"POST", "/token", emu_api_token},
    {"GET", V1, emu_api_get_project},
    {"GET", V1 "/zones", emu_api_list_zones},
    {"GET", ZONE, emu_api_get_zone},
    {"GET", ZONE "/machineTypes", emu_api_list_machine_types},
    {"GET", ZONE "/machineTypes/{type}", emu_api_get_machine_type},
    {"GET", ZONE "/imageFamilyViews/{family}", emu_api_get_family_view},
    {"GET", V1 "/global/images", emu_api_list_images},
    {"GET", V1 "/global/images/family/{family}", emu_api_get_image_of_family},
    {"GET", V1 "/global/images/{image}", emu_api_get_image},
    {"GET", V1 "/aggregated/instances", emu_api_aggregate_instances},
    {"POST", ZONE "/instances", emu_api_insert_instance},
    {"GET", ZONE "/instances", emu_api_list_instances},
    {"GET", INSTANCE, emu_api_get_instance},
    {"DELETE", INSTANCE, emu_api_delete_instance},
    {"GET", INSTANCE "/serialPort", emu_api_get_serial_port},
    {"POST", INSTANCE "/start", emu_api_start_instance},
    {"POST", INSTANCE "/stop", emu_api_stop_instance},
    {"POST", INSTANCE "/reset", emu_api_reset_instance},
    {"POST", INSTANCE "/setMetadata", emu_api_set_metadata},
    {"POST", INSTANCE "/setTags", emu_api_set_tags},
    {"POST", INSTANCE "/setLabels", emu_api_set_labels},
    {"GET", ZONE "/operations", emu_api_list_operations},
    {"GET", OPERATION, emu_api_get_operation},
    {"POST", OPERATION "/wait", emu_api_wait_operation},
    {0},
};

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
