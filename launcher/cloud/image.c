/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *text, const char *collection, struct vmcp_error *err)
{
    char clean[100];
    launch_clean(text, clean, sizeof(clean));
    return vmcp_fail(
        err, VMCP_E_PLAN,
        "`%s` is no Compute Engine image; projects/P/global/%s/NAME%s or a Compute URL "
        "of one would work",
        clean, collection, strcmp(collection, "images") == 0 ? ", …/family/FAMILY" : "");
}

/* Cut the next path segment out of *s; false where there is none or it is too long. */
static bool segment(const char **s, char *ret, size_t size)
{
    size_t len = strcspn(*s, "/");
    if (!len || len >= size)
        return false;
    memcpy(ret, *s, len);
    ret[len] = '\0';
    *s += len + ((*s)[len] == '/');
    return true;
}

static bool skip(const char **s, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(*s, prefix, len) != 0)
        return false;
    *s += len;
    return true;
}

int launch_image_parse(const char *text, const char *collection, const char *own_project,
                       struct launch_image_ref *ret, struct vmcp_error *err)
{
    struct launch_image_ref ref = {0};
    char type[32];
    const char *s = launch_resource_path(text);
    bool images = strcmp(collection, "images") == 0;
    snprintf(ref.project, sizeof(ref.project), "%s", own_project);
    if (!s || (skip(&s, "projects/") && !segment(&s, ref.project, sizeof(ref.project))))
        return refuse(text, collection, err);
    /* "family/F" alone is Compute Engine's short form for one of the own project. */
    bool alone = images && s == text && strncmp(s, "family/", 7) == 0;
    if (!alone &&
        (!skip(&s, "global/") || !segment(&s, type, sizeof(type)) || strcmp(type, collection) != 0))
        return refuse(text, collection, err);
    ref.family = images && skip(&s, "family/");
    if (!segment(&s, ref.name, sizeof(ref.name)) || *s || !launch_is_label(ref.name) ||
        !launch_is_project(ref.project))
        return refuse(text, collection, err);
    *ret = ref;
    return 0;
}

static bool has_feature(const json_t *image, const char *feature)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(image, "guestOsFeatures"), i, row)
    {
        const char *type = json_string_value(json_object_get(row, "type"));
        if (type && strcmp(type, feature) == 0)
            return true;
    }
    return false;
}

int launch_image_resolve(const struct launch_compute *compute, const struct launch_image_ref *ref,
                         struct launch_image *ret, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX];
    json_auto_t *image = NULL;
    struct launch_image made = {.known = true};
    snprintf(path, sizeof(path), "projects/%s/global/images/%s%s", ref->project,
             ref->family ? "family/" : "", ref->name);
    int rc = launch_compute_get(compute, path, &image, err);
    if (rc < 0)
        return vmcp_error_locate(err, path);
    const char *name = json_string_value(json_object_get(image, "name"));
    if (!name || !launch_is_label(name))
        return vmcp_fail_at(err, VMCP_E_API, path,
                            image ? "the Compute API names no image there"
                                  : "there is no such image, or these credentials may not see it");
    const char *size = json_string_value(json_object_get(image, "diskSizeGb"));
    made.size_gb = size ? strtoll(size, NULL, 10) : 0;
    made.uefi = has_feature(image, "UEFI_COMPATIBLE");
    memcpy(made.project, ref->project, sizeof(made.project));
    snprintf(made.path, sizeof(made.path), "projects/%s/global/images/%s", ref->project, name);
    *ret = made;
    return 0;
}

void launch_image_take(const struct launch_image_ref *ref, struct launch_image *ret)
{
    *ret = (struct launch_image){.known = true};
    snprintf(ret->project, sizeof(ret->project), "%s", ref->project);
    snprintf(ret->path, sizeof(ret->path), "projects/%s/global/images/%s%s", ref->project,
             ref->family ? "family/" : "", ref->name);
}
