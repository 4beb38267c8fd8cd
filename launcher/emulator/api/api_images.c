/* SPDX-License-Identifier: Apache-2.0 */
/* Images: get, getFromFamily, imageFamilyViews.get, and those that a project makes itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "collections.h"
#include "methods.h"
#include "resources/disk.h"
#include "resources/fingerprint.h"
#include "resources/images.h"
#include "resources/insert.h"
#include "write.h"

/* Images of another project are there for all, those of a project that is unknown for nobody. */
int emu_image_check_project(struct emu_cloud *cloud, const char *project, struct emu_refusal *why)
{
    if (emu_cloud_is_project(cloud, project) || emu_image_project_exists(project))
        return 0;
    return emu_call_not_found(why, "projects/%.100s", project);
}

static int find(struct emu_call *call, const char *name, bool family, json_t **ret,
                struct emu_refusal *why)
{
    int rc = emu_image_check_project(call->cloud, call->project, why);
    if (rc == 0)
        rc = emu_image_find(call->cloud, call->project, name, family, ret, why);
    if (rc < 0 || *ret)
        return rc;
    return emu_call_not_found(why, "projects/%s/global/images/%s%.100s", call->project,
                              family ? "family/" : "", name);
}

int emu_images_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    return find(call, call->req->segments[1], false, ret, why);
}

int emu_images_get_from_family(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    return find(call, call->req->segments[1], true, ret, why);
}

int emu_family_views_get(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *image = NULL;
    int rc = find(call, call->req->segments[2], true, &image, why);
    if (rc == 0)
        *ret = json_pack("{s:O}", "image", image);
    return rc;
}

/* What the image is made from says how large it is and what it can. */
static int find_source(struct emu_call *call, const json_t *asked, json_t **ret, int64_t *ret_gb,
                       struct emu_refusal *why)
{
    const char *image = emu_text_at(asked, "sourceImage");
    const char *disk = emu_text_at(asked, "sourceDisk");
    const json_t *raw = json_object_get(asked, "rawDisk");
    auto_resource struct emu_resource found = {0};
    struct vmcp_error err = {0};
    struct emu_ref ref;
    if (!!image + !!disk + !!raw != 1)
        return emu_refuse(why, 400, "invalid",
                          "Exactly one of sourceImage, sourceDisk and rawDisk must be specified.");
    if (raw)
        *ret_gb = 10;
    if (raw)
        return 0;
    if (image) {
        int rc = emu_image_resolve(call->cloud, image, "resource.sourceImage", ret, why);
        *ret_gb = rc == 0 ? emu_int64_at(*ret, "diskSizeGb") : 0;
        return rc;
    }
    if (!emu_ref_parse_as(disk, "disks", &ref))
        return emu_refuse_field(why, "resource.sourceDisk", disk, "The URL is malformed.");
    if (emu_resource_find(call->cloud->store, "disks", ref.scope, ref.name, &found, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (!found.id)
        return emu_call_not_found(why, "projects/%s/%s/disks/%s", call->project, ref.scope,
                                  ref.name);
    *ret = json_incref(found.body);
    *ret_gb = emu_int64_at(found.body, "sizeGb");
    return 0;
}

int emu_image_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    static const char *const inherited[] = {"licenses", "licenseCodes", "guestOsFeatures",
                                            "architecture"};
    json_t *body = resource->body;
    json_auto_t *source = NULL;
    int64_t gb = 0;
    const char *family = emu_text_at(body, "family");
    int rc = find_source(call, body, &source, &gb, why);
    if (rc == 0 && family)
        rc = emu_insert_check_name("resource.family", family, why);
    if (rc == 0)
        rc = emu_insert_labels(json_object_get(body, "labels"), why);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        if (!json_object_get(body, inherited[i]))
            json_object_set(body, inherited[i], json_object_get(source, inherited[i]));
    json_object_set_new(body, "diskSizeGb", json_sprintf("%" PRId64, gb));
    json_object_set_new(body, "archiveSizeBytes", json_string("1383505728"));
    json_object_set_new(body, "sourceType", json_string("RAW"));
    json_object_set_new(body, "status", json_string("READY"));
    json_object_set_new(body, "labelFingerprint", emu_fingerprint(json_object_get(body, "labels")));
    return 0;
}

static const struct emu_field deprecate_fields[] = {
    {"deleted", 's', NULL},     {"deprecated", 's', NULL}, {"obsolete", 's', NULL},
    {"replacement", 's', NULL}, {"state", 's', NULL},      {0},
};

static int deprecate(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    auto_resource struct emu_resource image = {0};
    struct vmcp_error err = {0};
    int rc = emu_resource_named(call, "images", &image, why);
    if (rc < 0)
        return rc;
    if (json_object_size(arg) == 0)
        json_object_del(image.body, "deprecated");
    else
        json_object_set(image.body, "deprecated", arg);
    if (emu_resource_save(call->cloud->store, &image, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_write_begin(write,
                           &(struct emu_operation_spec){.type = "deprecate",
                                                        .target = emu_resource_link(&image),
                                                        .target_id = image.id},
                           why);
}

int emu_images_deprecate(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, deprecate_fields, &body, why);
    return rc < 0 ? rc : emu_write_run(call, deprecate, body, ret, why);
}
