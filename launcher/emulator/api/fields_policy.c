/* SPDX-License-Identifier: Apache-2.0 */
/* The members of SecurityPolicy and its rules that a client may send: Google's discovery document
 * of the Compute API v1 and what was added to it since. Output-only members may be sent back; they
 * are ignored. */
#include <stddef.h>

#include "schema.h"

static const struct emu_field header_option_fields[] = {
    {"headerName", 's', NULL},
    {"headerValue", 's', NULL},
    {0},
};

static const struct emu_field header_action_fields[] = {
    {"requestHeadersToAdds", 'a', header_option_fields},
    {0},
};

static const struct emu_field match_config_fields[] = {
    {"srcIpRanges", 't', NULL},
    {0},
};

static const struct emu_field expr_fields[] = {
    {"description", 's', NULL},
    {"expression", 's', NULL},
    {"location", 's', NULL},
    {"title", 's', NULL},
    {0},
};

static const struct emu_field match_fields[] = {
    {"config", 'o', match_config_fields},
    {"expr", 'o', expr_fields},
    {"exprOptions", 'o', NULL},
    {"versionedExpr", 's', NULL},
    {0},
};

static const struct emu_field waf_field_fields[] = {
    {"op", 's', NULL},
    {"val", 's', NULL},
    {0},
};

static const struct emu_field waf_exclusion_fields[] = {
    {"requestCookiesToExclude", 'a', waf_field_fields},
    {"requestHeadersToExclude", 'a', waf_field_fields},
    {"requestQueryParamsToExclude", 'a', waf_field_fields},
    {"requestUrisToExclude", 'a', waf_field_fields},
    {"targetRuleIds", 't', NULL},
    {"targetRuleSet", 's', NULL},
    {0},
};

static const struct emu_field waf_fields[] = {
    {"exclusions", 'a', waf_exclusion_fields},
    {0},
};

static const struct emu_field threshold_fields[] = {
    {"count", 'i', NULL},
    {"intervalSec", 'i', NULL},
    {0},
};

static const struct emu_field enforce_config_fields[] = {
    {"enforceOnKeyName", 's', NULL},
    {"enforceOnKeyType", 's', NULL},
    {0},
};

static const struct emu_field redirect_fields[] = {
    {"target", 's', NULL},
    {"type", 's', NULL},
    {0},
};

static const struct emu_field rate_limit_fields[] = {
    {"banDurationSec", 'i', NULL},
    {"banThreshold", 'o', threshold_fields},
    {"conformAction", 's', NULL},
    {"enforceOnKey", 's', NULL},
    {"enforceOnKeyConfigs", 'a', enforce_config_fields},
    {"enforceOnKeyName", 's', NULL},
    {"exceedAction", 's', NULL},
    {"exceedRedirectOptions", 'o', redirect_fields},
    {"rateLimitThreshold", 'o', threshold_fields},
    {0},
};

const struct emu_field emu_policy_rule_fields[] = {
    {"action", 's', NULL},
    {"description", 's', NULL},
    {"headerAction", 'o', header_action_fields},
    {"kind", 's', NULL},
    {"match", 'o', match_fields},
    {"networkMatch", 'o', NULL},
    {"preconfiguredWafConfig", 'o', waf_fields},
    {"preview", 'b', NULL},
    {"priority", 'i', NULL},
    {"rateLimitOptions", 'o', rate_limit_fields},
    {"redirectOptions", 'o', redirect_fields},
    {"ruleNumber", 'l', NULL},
    {0},
};

static const struct emu_field layer7_fields[] = {
    {"enable", 'b', NULL},
    {"ruleVisibility", 's', NULL},
    {"thresholdConfigs", 'a', NULL},
    {0},
};

static const struct emu_field adaptive_fields[] = {
    {"layer7DdosDefenseConfig", 'o', layer7_fields},
    {0},
};

static const struct emu_field json_custom_fields[] = {
    {"contentTypes", 't', NULL},
    {0},
};

static const struct emu_field advanced_fields[] = {
    {"jsonCustomConfig", 'o', json_custom_fields},
    {"jsonParsing", 's', NULL},
    {"logLevel", 's', NULL},
    {"requestBodyInspectionSize", 's', NULL},
    {"userIpRequestHeaders", 't', NULL},
    {0},
};

static const struct emu_field ddos_fields[] = {
    {"ddosProtection", 's', NULL},
    {0},
};

static const struct emu_field recaptcha_fields[] = {
    {"redirectSiteKey", 's', NULL},
    {0},
};

const struct emu_field emu_policy_fields[] = {
    {"adaptiveProtectionConfig", 'o', adaptive_fields},
    {"advancedOptionsConfig", 'o', advanced_fields},
    {"associations", 'a', NULL},
    {"creationTimestamp", 's', NULL},
    {"ddosProtectionConfig", 'o', ddos_fields},
    {"description", 's', NULL},
    {"displayName", 's', NULL},
    {"fingerprint", 's', NULL},
    {"id", 'l', NULL},
    {"kind", 's', NULL},
    {"labelFingerprint", 's', NULL},
    {"labels", 'm', NULL},
    {"name", 's', NULL},
    {"parent", 's', NULL},
    {"recaptchaOptionsConfig", 'o', recaptcha_fields},
    {"region", 's', NULL},
    {"rules", 'a', emu_policy_rule_fields},
    {"selfLink", 's', NULL},
    {"shortName", 's', NULL},
    {"type", 's', NULL},
    {"userDefinedFields", 'a', NULL},
    {0},
};
