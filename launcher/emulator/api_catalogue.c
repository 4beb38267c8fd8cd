/* SPDX-License-Identifier: Apache-2.0 */
/* What is there to choose from: the project, zones, machine types, images. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "call.h"
#include "fingerprint.h"
#include "images.h"
#include "list.h"
#include "machine_types.h"
#include "ref.h"
#include "zones.h"

static int get_project(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_cloud *cloud = call->cloud;
    (void)why;
    *ret = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:s, s:o}}", "kind", "compute#project", "id",
        cloud->number, "creationTimestamp", "2024-01-01T00:00:00.000+00:00", "name", cloud->project,
        "defaultServiceAccount", cloud->default_account, "defaultNetworkTier", "PREMIUM",
        "xpnProjectStatus", "UNSPECIFIED_XPN_PROJECT_STATUS", "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s", cloud->project), "commonInstanceMetadata",
        "kind", "compute#metadata", "fingerprint", emu_fingerprint(NULL));
    return 0;
}

static int get_zone(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *zone = call->req->segments[1];
    if (!emu_zone_exists(zone))
        return emu_call_not_found(why, "projects/%s/zones/%.100s", call->project, zone);
    *ret = emu_zone_resource(call->project, zone);
    return 0;
}

static int list_zones(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    for (size_t i = 0; emu_zone_at(i); i++)
        json_array_append_new(items, emu_zone_resource(call->project, emu_zone_at(i)));
    return emu_list_answer(call, "compute#zoneList", items, ret, why);
}

static int get_machine_type(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[2];
    struct emu_machine_type type;
    char rule[160];
    if (emu_machine_type_find(name, &type, rule, sizeof(rule))) {
        *ret = emu_machine_type_resource(&type, call->project, call->zone);
        return 0;
    }
    if (rule[0]) /* a custom name that breaks the rules */
        return emu_refuse_field(why, "machineType", name, "%s", rule);
    return emu_call_not_found(why, "projects/%s/zones/%s/machineTypes/%.100s", call->project,
                              call->zone, name);
}

static int list_machine_types(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    struct emu_machine_type type;
    for (size_t i = 0; emu_machine_type_at(i, &type); i++)
        json_array_append_new(items, emu_machine_type_resource(&type, call->project, call->zone));
    return emu_list_answer(call, "compute#machineTypeList", items, ret, why);
}

/* Images of another project are there for all, those of a project that is unknown for nobody. */
static int check_image_project(const struct emu_call *call, struct emu_refusal *why)
{
    if (emu_cloud_is_project(call->cloud, call->project) || emu_image_project_exists(call->project))
        return 0;
    return emu_call_not_found(why, "projects/%.100s", call->project);
}

static int answer_image(const struct emu_call *call, const struct emu_image *image,
                        const char *kind, const char *name, json_t **ret, struct emu_refusal *why)
{
    int rc = check_image_project(call, why);
    if (rc < 0)
        return rc;
    if (!image)
        return emu_call_not_found(why, "projects/%s/global/images/%s%.100s", call->project, kind,
                                  name);
    *ret = emu_image_resource(image);
    return 0;
}

static int get_image(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[1];
    return answer_image(call, emu_image_find(call->project, name), "", name, ret, why);
}

static int get_image_of_family(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[1];
    return answer_image(call, emu_image_of_family(call->project, name), "family/", name, ret, why);
}

static int get_family_view(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const char *name = call->req->segments[2];
    json_auto_t *image = NULL;
    int rc =
        answer_image(call, emu_image_of_family(call->project, name), "family/", name, &image, why);
    if (rc == 0)
        *ret = json_pack("{s:O}", "image", image);
    return rc;
}

static int list_images(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *items = json_array();
    const struct emu_image *image = NULL;
    int rc = check_image_project(call, why);
    if (rc < 0)
        return rc;
    for (size_t i = 0; (image = emu_image_at(i)); i++)
        if (strcmp(image->project, call->project) == 0)
            json_array_append_new(items, emu_image_resource(image));
    return emu_list_answer(call, "compute#imageList", items, ret, why);
}

void emu_api_get_project(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.projects.get", .run = get_project});
}

void emu_api_get_zone(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.zones.get", .run = get_zone});
}

void emu_api_list_zones(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.zones.list", .run = list_zones});
}

void emu_api_get_machine_type(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.machineTypes.get",
                                      .zonal = true,
                                      .run = get_machine_type});
}

void emu_api_list_machine_types(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.machineTypes.list",
                                      .zonal = true,
                                      .run = list_machine_types});
}

void emu_api_get_image(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){
                     .permission = "compute.images.get", .any_project = true, .run = get_image});
}

void emu_api_get_image_of_family(void *app, const struct http_request *req,
                                 struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.images.getFromFamily",
                                      .any_project = true,
                                      .run = get_image_of_family});
}

void emu_api_get_family_view(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){.permission = "compute.images.getFromFamily",
                                      .any_project = true,
                                      .run = get_family_view});
}

void emu_api_list_images(void *app, const struct http_request *req, struct http_reply *reply)
{
    emu_call_run(app, req, reply,
                 &(struct emu_method){
                     .permission = "compute.images.list", .any_project = true, .run = list_images});
}
