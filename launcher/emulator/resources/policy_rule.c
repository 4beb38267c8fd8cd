/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_rule.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "lib/auto.h"

enum { RANGES_MAX = 10, EXPRESSION_MAX = 2048, MEMBER_MAX = 64 };

static int check_action(const json_t *rule, struct emu_refusal *why)
{
    static const char *const actions[] = {"allow",     "deny(403)", "deny(404)",      "deny(502)",
                                          "deny(429)", "deny",      "rate_based_ban", "redirect",
                                          "throttle",  "goto_next"};
    const char *action = emu_text_at(rule, "action");
    if (!action)
        return emu_refuse(why, 400, "required", "Required field 'resource.action' not specified");
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i], action) == 0)
            break;
        else if (i + 1 == sizeof(actions) / sizeof(actions[0]))
            return emu_refuse_field(why, "resource.action", action,
                                    "Must be one of allow, deny(403), deny(404), deny(502), "
                                    "rate_based_ban, redirect, throttle.");
    bool limits = strcmp(action, "throttle") == 0 || strcmp(action, "rate_based_ban") == 0;
    if (limits != (json_object_get(rule, "rateLimitOptions") != NULL))
        return emu_refuse_field(why, "resource.rateLimitOptions", action,
                                "Rate limit options go with throttle and rate_based_ban, and only "
                                "with them.");
    return 0;
}

/* An address, or a range of them; * for all. */
static bool is_range(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (strcmp(text, "*") == 0)
        return true;
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    bool v4 = inet_pton(AF_INET, address, bytes) == 1;
    if (!v4 && inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    char *end = NULL;
    long prefix = slash ? strtol(slash + 1, &end, 10) : 0;
    return !slash || (isdigit((unsigned char)slash[1]) && !*end && prefix <= (v4 ? 32 : 128));
}

static int check_match(const json_t *match, struct emu_refusal *why)
{
    const json_t *ranges = json_object_get(json_object_get(match, "config"), "srcIpRanges");
    const char *expression = emu_text_at(json_object_get(match, "expr"), "expression");
    const char *version = emu_text_at(match, "versionedExpr");
    size_t i = 0;
    json_t *range = NULL;
    if (!match || (!ranges && !expression) || (ranges && expression))
        return emu_refuse_field(why, "resource.match", "",
                                "A rule matches either source addresses (versionedExpr and config) "
                                "or an expression.");
    if (ranges && (!version || strcmp(version, "SRC_IPS_V1") != 0))
        return emu_refuse_field(why, "resource.match.versionedExpr", version ? version : "",
                                "Must be SRC_IPS_V1.");
    if (json_array_size(ranges) > RANGES_MAX)
        return emu_refuse_field(why, "resource.match.config.srcIpRanges", "",
                                "At most %d ranges can be given.", RANGES_MAX);
    json_array_foreach(ranges, i, range)
    {
        if (!is_range(json_string_value(range)))
            return emu_refuse_field(why, "resource.match.config.srcIpRanges",
                                    json_string_value(range), "Must be a CIDR range or *.");
    }
    if (expression && (!*expression || strlen(expression) > EXPRESSION_MAX))
        return emu_refuse_field(why, "resource.match.expr.expression", expression,
                                "Must have from 1 to %d characters.", EXPRESSION_MAX);
    return 0;
}

int emu_policy_rule_check(const json_t *rule, struct emu_refusal *why)
{
    const json_t *priority = json_object_get(rule, "priority");
    int64_t number = json_integer_value(priority);
    char text[24];
    if (!priority)
        return emu_refuse(why, 400, "required", "Required field 'resource.priority' not specified");
    snprintf(text, sizeof(text), "%lld", (long long)number);
    if (number < 0 || number > EMU_DEFAULT_PRIORITY)
        return emu_refuse_field(why, "resource.priority", text,
                                "Must be a number from 0 to 2147483647.");
    int rc = check_action(rule, why);
    if (rc == 0 && !json_object_get(rule, "networkMatch"))
        rc = check_match(json_object_get(rule, "match"), why);
    return rc;
}

static int64_t priority_of(const json_t *rule)
{
    return json_integer_value(json_object_get(rule, "priority"));
}

json_t *emu_policy_rule_find(const json_t *rules, int64_t priority)
{
    size_t i = 0;
    json_t *rule = NULL;
    json_array_foreach(rules, i, rule)
    {
        if (priority_of(rule) == priority)
            return rule;
    }
    return NULL;
}

void emu_policy_rule_add(json_t *rules, json_t *rule)
{
    size_t i = 0;
    while (i < json_array_size(rules) && priority_of(json_array_get(rules, i)) < priority_of(rule))
        i++;
    json_object_set_new(rule, "kind", json_string("compute#securityPolicyRule"));
    if (!json_object_get(rule, "preview"))
        json_object_set_new(rule, "preview", json_false());
    json_array_insert_new(rules, i, rule);
}

void emu_policy_rule_remove(json_t *rules, int64_t priority)
{
    for (size_t i = json_array_size(rules); i > 0; i--)
        if (priority_of(json_array_get(rules, i - 1)) == priority)
            json_array_remove(rules, i - 1);
}

json_t *emu_policy_rule_default(void)
{
    return json_pack("{s:I, s:s, s:s, s:{s:s, s:{s:[s]}}}", "priority",
                     (json_int_t)EMU_DEFAULT_PRIORITY, "description", "default rule", "action",
                     "allow", "match", "versionedExpr", "SRC_IPS_V1", "config", "srcIpRanges", "*");
}

/* rate_limit_options becomes rateLimitOptions. */
static void camel(const char *snake, size_t len, char ret[static MEMBER_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < MEMBER_MAX; i++) {
        if (snake[i] == '_' && i + 1 < len)
            ret[n++] = (char)toupper((unsigned char)snake[++i]);
        else
            ret[n++] = snake[i];
    }
    ret[n] = '\0';
}

/* Take away what the mask names and the patch does not have; a.b is b in the object a. */
static void clear_masked(json_t *rule, const json_t *patch, const char *mask)
{
    while (*mask) {
        char member[MEMBER_MAX];
        json_t *object = rule;
        const json_t *given = patch;
        size_t len = strcspn(mask, ".,");
        for (; mask[len] == '.'; len = strcspn(mask, ".,")) {
            camel(mask, len, member);
            object = json_object_get(object, member);
            given = json_object_get(given, member);
            mask += len + 1;
        }
        camel(mask, len, member);
        if (!json_object_get(given, member))
            json_object_del(object, member);
        mask += len + (mask[len] == ',');
    }
}

void emu_policy_rule_patch(json_t *rule, json_t *patch, const char *mask)
{
    const json_t *match = json_object_get(patch, "match");
    const char *key = NULL;
    json_t *value = NULL;
    /* A matcher of the other kind replaces the old one. */
    if (json_object_get(match, "expr") || json_object_get(match, "config"))
        json_object_del(rule, "match");
    if (mask)
        clear_masked(rule, patch, mask);
    json_object_foreach(patch, key, value)
    {
        json_t *old = json_object_get(rule, key);
        if (json_is_object(old) && json_is_object(value))
            json_object_update(old, value);
        else
            json_object_set_new(rule, key, json_deep_copy(value));
    }
}
