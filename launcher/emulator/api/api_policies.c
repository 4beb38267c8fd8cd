/* SPDX-License-Identifier: Apache-2.0 */
/* Security policies: how they are made, patch, and their rules: getRule, addRule, patchRule,
 * removeRule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "collections.h"
#include "methods.h"
#include "resources/fingerprint.h"
#include "resources/policy_rule.h"
#include "write.h"

enum { RULES_MAX = 200 };

/* The fingerprint is of all but itself. */
static void stamp(json_t *policy)
{
    json_object_del(policy, "fingerprint");
    json_object_set_new(policy, "fingerprint", emu_fingerprint(policy));
}

/* Take the rules of a body, in the order of their priorities, and the default one. */
static int read_rules(const json_t *asked, json_t *ret, struct emu_refusal *why)
{
    size_t i = 0;
    json_t *rule = NULL;
    json_array_foreach(asked, i, rule)
    {
        int rc = emu_policy_rule_check(rule, why);
        if (rc < 0)
            return rc;
        int64_t priority = json_integer_value(json_object_get(rule, "priority"));
        if (emu_policy_rule_find(ret, priority) || i >= RULES_MAX)
            return emu_refuse_field(why, "resource.rules", "",
                                    "At most %d rules, each with a priority of its own.",
                                    RULES_MAX);
        emu_policy_rule_add(ret, json_deep_copy(rule));
    }
    if (!emu_policy_rule_find(ret, EMU_DEFAULT_PRIORITY))
        emu_policy_rule_add(ret, emu_policy_rule_default());
    return 0;
}

int emu_policy_make(struct emu_call *call, struct emu_resource *resource, struct emu_refusal *why)
{
    json_auto_t *rules = json_array();
    (void)call;
    int rc = read_rules(json_object_get(resource->body, "rules"), rules, why);
    if (rc < 0)
        return rc;
    json_object_set(resource->body, "rules", rules);
    if (!json_object_get(resource->body, "type"))
        json_object_set_new(resource->body, "type", json_string("CLOUD_ARMOR"));
    json_object_set_new(resource->body, "labelFingerprint",
                        emu_fingerprint(json_object_get(resource->body, "labels")));
    stamp(resource->body);
    return 0;
}

/* A number of the query; the default rule's where it is not given. */
static int read_priority(const struct emu_call *call, int64_t *ret, struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "priority");
    char *end = NULL;
    *ret = text && *text ? strtoll(text, &end, 10) : EMU_DEFAULT_PRIORITY;
    if (end && (*end || *ret < 0 || *ret > EMU_DEFAULT_PRIORITY))
        return emu_refuse_field(why, "priority", text, "Must be a number from 0 to 2147483647.");
    return 0;
}

/* The rule that the query names, borrowed from the policy. */
static int find_rule(struct emu_call *call, const struct emu_resource *policy, json_t **ret,
                     struct emu_refusal *why)
{
    int64_t priority = 0;
    char text[24];
    int rc = read_priority(call, &priority, why);
    if (rc < 0)
        return rc;
    *ret = emu_policy_rule_find(json_object_get(policy->body, "rules"), priority);
    if (*ret)
        return 0;
    snprintf(text, sizeof(text), "%lld", (long long)priority);
    return emu_refuse_field(why, "priority", text,
                            "The security policy '%s' has no rule with this priority.",
                            emu_resource_path(policy));
}

int emu_policies_get_rule(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    auto_resource struct emu_resource policy = {0};
    json_t *rule = NULL;
    int rc = emu_resource_named(call, "securityPolicies", &policy, why);
    if (rc == 0)
        rc = find_rule(call, &policy, &rule, why);
    if (rc == 0)
        *ret = json_incref(rule);
    return rc;
}

/* A change of one policy. */
struct edit {
    const char *type; /* the operation's */
    int (*apply)(struct emu_call *call, const struct emu_resource *policy, json_t *body,
                 struct emu_refusal *why);
    json_t *body; /* borrowed; NULL: the method has none */
};

static int run_edit(struct emu_write *write, void *arg, struct emu_refusal *why)
{
    struct emu_call *call = write->call;
    const struct edit *edit = arg;
    const char *only = http_request_param(call->req, "validateOnly");
    auto_resource struct emu_resource policy = {0};
    struct vmcp_error err = {0};
    int rc = emu_resource_named(call, "securityPolicies", &policy, why);
    if (rc == 0)
        rc = edit->apply(call, &policy, edit->body, why);
    if (rc < 0)
        return rc;
    stamp(policy.body);
    bool dry = only && strcmp(only, "true") == 0;
    if (!dry && emu_resource_save(call->cloud->store, &policy, &err) < 0)
        return emu_refuse_fault(why, &err);
    return emu_write_begin(write,
                           &(struct emu_operation_spec){.type = edit->type,
                                                        .target = emu_resource_link(&policy),
                                                        .target_id = policy.id},
                           why);
}

static int edit_with_body(struct emu_call *call, const struct emu_field *fields, struct edit edit,
                          json_t **ret, struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = emu_schema_read(call->req, fields, &body, why);
    edit.body = body;
    return rc < 0 ? rc : emu_write_run(call, run_edit, &edit, ret, why);
}

static int apply_add(struct emu_call *call, const struct emu_resource *policy, json_t *body,
                     struct emu_refusal *why)
{
    json_t *rules = json_object_get(policy->body, "rules");
    int64_t priority = json_integer_value(json_object_get(body, "priority"));
    char text[24];
    (void)call;
    int rc = emu_policy_rule_check(body, why);
    if (rc < 0)
        return rc;
    snprintf(text, sizeof(text), "%lld", (long long)priority);
    if (emu_policy_rule_find(rules, priority))
        return emu_refuse_field(why, "resource.priority", text,
                                "Cannot have rules with the same priorities.");
    if (json_array_size(rules) >= RULES_MAX)
        return emu_refuse(why, 403, "quotaExceeded",
                          "Quota 'SECURITY_POLICY_RULES' exceeded.  Limit: %d.0 globally.",
                          RULES_MAX);
    emu_policy_rule_add(rules, json_deep_copy(body));
    return 0;
}

static int apply_patch_rule(struct emu_call *call, const struct emu_resource *policy, json_t *body,
                            struct emu_refusal *why)
{
    json_t *rules = json_object_get(policy->body, "rules"), *rule = NULL;
    int rc = find_rule(call, policy, &rule, why);
    if (rc < 0)
        return rc;
    int64_t old = json_integer_value(json_object_get(rule, "priority"));
    json_auto_t *changed = json_deep_copy(rule);
    emu_policy_rule_patch(changed, body, http_request_param(call->req, "updateMask"));
    rc = emu_policy_rule_check(changed, why);
    if (rc < 0)
        return rc;
    int64_t priority = json_integer_value(json_object_get(changed, "priority"));
    bool moves = priority != old;
    if (moves && (old == EMU_DEFAULT_PRIORITY || emu_policy_rule_find(rules, priority)))
        return emu_refuse_field(why, "resource.priority", "",
                                "The default rule keeps its priority, and each priority is one "
                                "rule's.");
    emu_policy_rule_remove(rules, old);
    emu_policy_rule_add(rules, json_incref(changed));
    return 0;
}

static int apply_remove(struct emu_call *call, const struct emu_resource *policy, json_t *body,
                        struct emu_refusal *why)
{
    json_t *rule = NULL;
    (void)body;
    int rc = find_rule(call, policy, &rule, why);
    if (rc < 0)
        return rc;
    int64_t priority = json_integer_value(json_object_get(rule, "priority"));
    if (priority == EMU_DEFAULT_PRIORITY)
        return emu_refuse_field(why, "priority", "2147483647",
                                "The default rule cannot be removed.");
    emu_policy_rule_remove(json_object_get(policy->body, "rules"), priority);
    return 0;
}

/* Members that are given replace the old ones; the fingerprint must be of what is changed. */
static int apply_patch(struct emu_call *call, const struct emu_resource *policy, json_t *body,
                       struct emu_refusal *why)
{
    static const char *const members[] = {
        "description",          "adaptiveProtectionConfig", "advancedOptionsConfig",
        "ddosProtectionConfig", "recaptchaOptionsConfig",   "labels"};
    const json_t *given = json_object_get(body, "fingerprint");
    (void)call;
    if (given && !emu_fingerprint_is(given, json_object_get(policy->body, "fingerprint")))
        return emu_refuse(why, 412, "conditionNotMet", "Invalid fingerprint.");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(body, members[i]);
        if (value)
            json_object_set(policy->body, members[i], value);
    }
    if (!json_object_get(body, "rules"))
        return 0;
    json_auto_t *rules = json_array();
    int rc = read_rules(json_object_get(body, "rules"), rules, why);
    if (rc == 0)
        json_object_set(policy->body, "rules", rules);
    return rc;
}

int emu_policies_patch(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {.type = "patch", .apply = apply_patch};
    return edit_with_body(call, emu_policy_fields, edit, ret, why);
}

int emu_policies_add_rule(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {.type = "AddRule", .apply = apply_add};
    return edit_with_body(call, emu_policy_rule_fields, edit, ret, why);
}

int emu_policies_patch_rule(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    const struct edit edit = {.type = "PatchRule", .apply = apply_patch_rule};
    return edit_with_body(call, emu_policy_rule_fields, edit, ret, why);
}

int emu_policies_remove_rule(struct emu_call *call, json_t **ret, struct emu_refusal *why)
{
    struct edit edit = {.type = "RemoveRule", .apply = apply_remove};
    return emu_write_run(call, run_edit, &edit, ret, why);
}
