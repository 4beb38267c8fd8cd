/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdio.h>
#include <string.h>

#include "merge.h"
#include "origins.h"
#include "policy.h"
#include "rules.h"
#include "rules_text.h"
#include "schema.h"

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a plan");
}

int launch_plan_image(const struct vmcp_answer *answer, const struct launch_settings *settings,
                      struct launch_image_ref *ret, bool *ret_wanted, struct vmcp_error *err)
{
    const json_t *disk = json_array_get(json_object_get(answer->gce, "disks"), 0);
    const json_t *params = json_object_get(disk, "initializeParams");
    const char *text = json_string_value(json_object_get(params, "sourceImage"));
    const char *where = "gce.disks[0].initializeParams.sourceImage";
    *ret_wanted = false;
    if (json_object_get(disk, "source") || json_object_get(params, "sourceSnapshot"))
        return 0;
    if (!text) {
        text = launch_parameter_string(answer, "diskURL", NULL);
        where = "diskURL";
    }
    if (!text) {
        text = settings->image ? settings->image : LAUNCH_IMAGE_DEFAULT;
        where = "--image";
    }
    int rc = launch_image_parse(text, "images", settings->project, ret, err);
    if (rc < 0)
        return vmcp_error_locate(err, where);
    *ret_wanted = true;
    /* Asked before the API is: an image of a project that is out of bounds is none of our
     * business. The final body is held to the same bound again. */
    return launch_policy_project(ret->project, settings, err);
}

/* A machine, disk or accelerator type: a short name is one of the zone's; a path must lead there
 * too. */
static int zonal_type(json_t *object, const char *member, const char *collection,
                      const struct launch_plan *plan, const char *project, struct vmcp_error *err)
{
    const char *value = json_string_value(json_object_get(object, member));
    char path[LAUNCH_PATH_MAX], own[2 * LAUNCH_PATH_MAX], clean[100];
    if (!value)
        return 0;
    const char *rest = launch_resource_path(value);
    const char *name = launch_last_part(value);
    snprintf(path, sizeof(path), "zones/%s/%s/%s", plan->zone, collection, name);
    snprintf(own, sizeof(own), "projects/%s/%s", project, path);
    launch_clean(value, clean, sizeof(clean));
    if (!launch_is_label(name) ||
        (name != value && (!rest || (strcmp(rest, path) != 0 && strcmp(rest, own) != 0))))
        return vmcp_fail_at(err, VMCP_E_PLAN, member,
                            "`%s` is not a type of zone %s in project %.80s; the short name is "
                            "enough",
                            clean, plan->zone, project);
    return json_object_set_new(object, member, json_string(path)) < 0 ? no_memory(err) : 0;
}

static int finish_types(struct launch_plan *plan, const char *project, struct vmcp_error *err)
{
    json_t *disks = json_object_get(plan->body, "disks");
    json_t *accelerators = json_object_get(plan->body, "guestAccelerators");
    int rc = zonal_type(plan->body, "machineType", "machineTypes", plan, project, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(disks); i++)
        rc = zonal_type(json_object_get(json_array_get(disks, i), "initializeParams"), "diskType",
                        "diskTypes", plan, project, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(accelerators); i++)
        rc = zonal_type(json_array_get(accelerators, i), "acceleratorType", "acceleratorTypes",
                        plan, project, err);
    return rc;
}

/* The family that the `gce` part names becomes the image that was looked up. */
static int finish_image(const struct launch_subject *subject, struct launch_plan *plan,
                        struct vmcp_error *err)
{
    json_t *disk = json_array_get(json_object_get(plan->body, "disks"), 0);
    json_t *params = json_object_get(disk, "initializeParams");
    if (!subject->image->known || !json_object_get(params, "sourceImage"))
        return 0;
    return json_object_set_new(params, "sourceImage", json_string(subject->image->path)) < 0
               ? no_memory(err)
               : 0;
}

static bool ends_in(const char *path, const char *member)
{
    size_t len = strlen(path), tail = strlen(member);
    return len > tail && strcmp(path + len - tail, member) == 0 && path[len - tail - 1] == '.';
}

/* Which option let one row of the table in; NULL: it needed none. */
static const char *bound_of(const json_t *row, const struct launch_settings *s, const json_t *body)
{
    static const char *const resources[] = {"network", "subnetwork", "networkAttachment",
                                            "storagePool", "kmsKeyName"};
    const char *path = launch_rules_text(row, "path"), *value = launch_rules_text(row, "value");
    const char *rest = launch_resource_path(value);
    char project[LAUNCH_PROJECT_MAX + 1];
    size_t i = 0;
    for (size_t k = 0; k < sizeof(resources) / sizeof(*resources); k++)
        if (ends_in(path, resources[k]) && rest &&
            sscanf(rest, "projects/%319[^/]/", project) == 1 && strcmp(project, s->project) != 0)
            return "allowed by --allow-resource-project";
    if (ends_in(path, "kmsKeyServiceAccount"))
        return "allowed by --allow-service-account";
    if (ends_in(path, "autoDelete") && strcmp(value, "true") == 0 &&
        sscanf(path, "disks[%zu]", &i) == 1 &&
        json_object_get(json_array_get(json_object_get(body, "disks"), i), "source"))
        return "allowed by --allow-disk-delete";
    return NULL;
}

/* Over which bounds of the operator's the body went, and what let it. */
static void tell_bounds(const struct launch_settings *s, struct launch_plan *plan)
{
    if (s->allow_machine_types.count)
        launch_origins_add(plan->origins, "machineType", "within --allow-machine-type");
    launch_origins_add(plan->origins, "serviceAccounts", "allowed by --allow-service-account");
    launch_origins_add(plan->origins, "networkInterfaces[0].accessConfigs",
                       "allowed by --allow-external-ip");
    if (s->allow_image_projects.count)
        launch_origins_add(plan->origins, "disks[0].initializeParams.sourceImage",
                           "allowed by --allow-image-project");
    size_t i;
    json_t *row;
    json_array_foreach(plan->origins, i, row)
    {
        const char *bound = bound_of(row, s, plan->body);
        if (bound)
            launch_origins_add(plan->origins, launch_rules_text(row, "path"), bound);
    }
}

static void warn_isolated(struct launch_plan *plan)
{
    const json_t *nic = json_array_get(json_object_get(plan->body, "networkInterfaces"), 0);
    if (!json_array_size(json_object_get(nic, "accessConfigs")))
        launch_plan_warn(plan, "no external address: reaching the internet needs Cloud NAT, and "
                               "Google's APIs Private Google Access");
}

static int check(const struct launch_subject *subject, struct launch_plan *plan,
                 struct vmcp_error *err)
{
    int rc = launch_schema_check(plan->body, err);
    if (rc == 0)
        rc = launch_policy_check(plan->body, subject->settings, err);
    if (rc == 0)
        rc = launch_rules_check(plan->body, subject->image->size_gb, err);
    if (rc == 0)
        rc = launch_policy_secrets(plan->body, &subject->settings->allow_private_keys, err);
    return rc;
}

int launch_plan_make(const struct launch_subject *subject, const char *zone, int64_t number,
                     struct launch_plan *ret, struct vmcp_error *err)
{
    auto_plan struct launch_plan plan = {0};
    bool with_user_data = *launch_parameter_string(subject->answer, "userData", "");
    int rc = launch_draft(subject, zone, number, &plan, err);
    if (rc == 0 && subject->answer->gce)
        rc = launch_merge_gce(plan.body, subject->answer->gce, with_user_data, err);
    if (rc == 0)
        rc = launch_draft_labels(subject, &plan, err);
    if (rc == 0)
        rc = launch_origins_find(plan.body, subject->answer->gce, plan.from, &plan.origins, err);
    if (rc == 0)
        rc = launch_metadata_items(plan.body, err);
    if (rc == 0)
        rc = finish_types(&plan, subject->settings->project, err);
    if (rc == 0)
        rc = finish_image(subject, &plan, err);
    if (rc == 0)
        rc = check(subject, &plan, err);
    if (rc < 0)
        return rc;
    warn_isolated(&plan);
    tell_bounds(subject->settings, &plan);
    *ret = plan;
    plan = (struct launch_plan){0};
    return 0;
}

/* What is too long for a column keeps its two ends; UTF-8 is cut between characters. */
static void shorten(char *text, size_t width)
{
    static const char gap[] = "...";
    size_t len = strlen(text);
    if (len <= width)
        return;
    size_t head = (width - 3) / 2, tail = len - (width - 3 - head);
    while (head && (text[head] & 0xc0) == 0x80)
        head--;
    while (tail < len && (text[tail] & 0xc0) == 0x80)
        tail++;
    memcpy(text + head, gap, 3);
    memmove(text + head + 3, text + tail, len - tail + 1);
}

void launch_plan_print(const struct launch_plan *plan)
{
    size_t i;
    json_t *row;
    json_array_foreach(plan->origins, i, row)
    {
        char path[200], shown[1024]; /* a path holds the signed machine's own names */
        launch_clean(launch_rules_text(row, "path"), path, sizeof(path));
        launch_clean(launch_rules_text(row, "value"), shown, sizeof(shown));
        shorten(shown, 47);
        fprintf(stderr, "  %-48s %-47s  %s\n", path, shown, launch_rules_text(row, "from"));
    }
}

void launch_plan_clear(struct launch_plan *plan)
{
    json_decref(plan->body);
    json_decref(plan->from);
    json_decref(plan->origins);
    json_decref(plan->warnings);
    *plan = (struct launch_plan){0};
}
