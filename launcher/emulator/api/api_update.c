/* SPDX-License-Identifier: Apache-2.0 */
/* instances.setMetadata, setTags, setLabels, each with the fingerprint of what it replaces;
 * setMachineType, setDeletionProtection. */
#include <string.h>
#include <strings.h>

#include "base/ref.h"
#include "methods.h"
#include "resources/change.h"
#include "resources/fingerprint.h"
#include "resources/insert.h"
#include "schema.h"

/* The change is made against what the caller has seen, or not at all. A body without a fingerprint
 * is refused too, but for the first write of labels and tags. */
static int check_fingerprint(const json_t *body, const char *member, const json_t *current,
                             struct emu_refusal *why)
{
    const json_t *given = json_object_get(body, member);
    if (!given)
        return emu_refuse(why, 400, "required", "Required field 'resource.%s' not specified",
                          member);
    if (!emu_fingerprint_is(given, current))
        return emu_refuse(why, 412, "conditionNotMet",
                          "Supplied fingerprint does not match current metadata fingerprint.");
    return 0;
}

static int apply_metadata(const struct emu_call *call, struct emu_instance *instance,
                          const json_t *body, struct emu_refusal *why)
{
    (void)call;
    const json_t *old = json_object_get(instance->resource, "metadata");
    json_t *made = NULL;
    int rc = check_fingerprint(body, "fingerprint", json_object_get(old, "fingerprint"), why);
    if (rc == 0)
        rc = emu_insert_metadata(body, &made, why);
    if (rc == 0)
        json_object_set_new(instance->resource, "metadata", made);
    return rc;
}

static int apply_tags(const struct emu_call *call, struct emu_instance *instance,
                      const json_t *body, struct emu_refusal *why)
{
    (void)call;
    const json_t *old = json_object_get(instance->resource, "tags");
    json_t *made = NULL;
    int rc = check_fingerprint(body, "fingerprint", json_object_get(old, "fingerprint"), why);
    if (rc == 0)
        rc = emu_insert_tags(body, &made, why);
    if (rc == 0)
        json_object_set_new(instance->resource, "tags", made);
    return rc;
}

static int apply_labels(const struct emu_call *call, struct emu_instance *instance,
                        const json_t *body, struct emu_refusal *why)
{
    (void)call;
    json_t *resource = instance->resource, *labels = json_object_get(body, "labels");
    int rc = check_fingerprint(body, "labelFingerprint",
                               json_object_get(resource, "labelFingerprint"), why);
    if (rc == 0)
        rc = emu_insert_labels(labels, why);
    if (rc < 0)
        return rc;
    json_object_set_new(resource, "labelFingerprint", emu_fingerprint(labels));
    if (labels)
        json_object_set(resource, "labels", labels);
    else
        json_object_del(resource, "labels");
    return 0;
}

static const struct emu_field machine_type_fields[] = {{"machineType", 's', NULL}, {0}};

/* Of a stopped instance only. */
static int apply_machine_type(const struct emu_call *call, struct emu_instance *instance,
                              const json_t *body, struct emu_refusal *why)
{
    const struct emu_insert_context context =
        emu_insert_context_of(call->cloud, call->zone, call->email);
    struct emu_machine_type type;
    int rc = emu_insert_check_machine_type(
        &context, json_string_value(json_object_get(body, "machineType")), &type, why);
    if (rc < 0)
        return rc;
    if (strcmp(emu_instance_status(instance), "TERMINATED") != 0)
        return emu_refuse(why, 400, "resourceNotReady",
                          "The resource '%s' is not ready: stop it before you change its machine "
                          "type.",
                          emu_instance_path(instance));
    instance->cpus = type.cpus;
    json_object_set_new(instance->resource, "machineType",
                        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/machineTypes/%s",
                                     call->project, call->zone, type.name));
    return 0;
}

static int apply_protection(const struct emu_call *call, struct emu_instance *instance,
                            const json_t *body, struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "deletionProtection");
    bool on = !text || strcasecmp(text, "true") == 0; /* true where it is not said */
    (void)body;
    if (!on && strcasecmp(text, "false") != 0)
        return emu_refuse_field(why, "deletionProtection", text, "Must be true or false.");
    json_object_set_new(instance->resource, "deletionProtection", json_boolean(on));
    return 0;
}

static int update(struct emu_call *call, const struct emu_field *fields, struct emu_change change,
                  json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, fields, &body, why);
    change.body = body;
    return rc < 0 ? rc : emu_change_run(call, &change, ret, why);
}

int emu_instances_set_metadata(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setMetadata", .apply = apply_metadata};
    return update(call, emu_metadata_fields, change, ret, why);
}

int emu_instances_set_tags(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setTags", .apply = apply_tags};
    return update(call, emu_tags_fields, change, ret, why);
}

int emu_instances_set_labels(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setLabels", .apply = apply_labels};
    return update(call, emu_labels_fields, change, ret, why);
}

int emu_instances_set_machine_type(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setMachineType", .apply = apply_machine_type};
    return update(call, machine_type_fields, change, ret, why);
}

int emu_instances_set_protection(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct emu_change change = {.type = "setDeletionProtection", .apply = apply_protection};
    return emu_change_run(call, &change, ret, why);
}
